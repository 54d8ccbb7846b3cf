"""A controller, written with the public RELAY client: answers calls, asks for a key, says goodbye.

python -m venv sdk && sdk/bin/pip install signalwire-sdk && sdk/bin/python examples/sdk_relay.py
Set the variables that `mediacore serve --control 7443` prints first.
"""

from signalwire.relay import RelayClient

client = RelayClient(contexts=["office"])


@client.on_call
async def handle(call) -> None:
    """One incoming call."""
    await call.answer()
    action = await call.play_tts("Welcome. Please say something.")
    await action.wait()
    recording = await call.record({"format": "wav", "end_silence_timeout": 1})
    stored = await recording.wait()
    print(f"recorded {stored.params.get('duration')} s: {stored.params.get('url')}", flush=True)
    action = await call.play_tts("Thank you. Goodbye.")
    await action.wait()
    await call.hangup()
    print("done", flush=True)


client.run()
