"""A provider adapter: any speech endpoint that answers `POST /v1/audio/speech` with raw PCM.

Adapters stay naive. Deadlines, retries, fallback and error classes are the driver's work; an
adapter only turns the provider's protocol into events, and HTTP status codes into exceptions that
the driver can classify.

    agent = Agent(stt=..., llm=..., tts=(HttpTts("http://127.0.0.1:8000", "my-voice"), HibariTts()))
"""

from collections.abc import AsyncIterator

import aiohttp

from mediacore.errors import ErrorClass, ProviderError
from mediacore.slots.tts import TtsAudio, TtsEvent, TtsInfo, TtsRequest

SRATE_HZ = 24000
CLASSES = {401: ErrorClass.AUTH, 403: ErrorClass.AUTH, 429: ErrorClass.RATE_LIMITED}


class HttpTts:
    """Synthesis over HTTP, streamed. Without word times: the ledger estimates them."""

    def __init__(self, base_url: str, voice: str, api_key: str = "") -> None:
        self._url = f"{base_url.rstrip('/')}/v1/audio/speech"
        self._voice = voice
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._session: aiohttp.ClientSession | None = None

    @property
    def info(self) -> TtsInfo:
        """Constant facts about this synthesiser."""
        return TtsInfo("http-tts", SRATE_HZ)

    async def run(self, request: TtsRequest) -> AsyncIterator[TtsEvent]:
        """Synthesise one request; closing the iterator closes the connection."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers=self._headers)
        body = {"input": request.text, "voice": self._voice, "response_format": "pcm"}
        async with self._session.post(self._url, json=body) as response:
            if response.status != 200:
                unavailable = ErrorClass.UNAVAILABLE
                other = unavailable if response.status >= 500 else ErrorClass.BAD_INPUT
                kind = CLASSES.get(response.status, other)
                raise ProviderError(kind, f"HTTP {response.status}")
            odd = b""  # chunks may end in the middle of a sample
            async for chunk in response.content.iter_any():
                pcm = odd + chunk
                odd = pcm[len(pcm) & ~1 :]
                if len(pcm) > 1:
                    yield TtsAudio(pcm[: len(pcm) & ~1], SRATE_HZ)

    async def aclose(self) -> None:
        """Close the connections; idempotent."""
        if self._session is not None:
            await self._session.close()
            self._session = None
