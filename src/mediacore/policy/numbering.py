"""Which country a number belongs to, and whether calling it costs extra.

Country calling codes: ITU-T E.164 assignments. Codes that several countries share belong to all of
them: +1 to the United States and Canada, +7 to Russia and Kazakhstan; the other members of the
North American plan have codes of their own (+1 and three digits) and are kept apart, as calls
there are international. Premium ranges: the ones that national plans set aside for services with
an extra charge, and the international ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s().\-/]")
_LONGEST_CODE: Final = 4

_CODES: Final = """
1 US CA|20 EG|211 SS|212 MA EH|213 DZ|216 TN|218 LY|220 GM|221 SN|222 MR|223 ML|224 GN|225 CI
226 BF|227 NE|228 TG|229 BJ|230 MU|231 LR|232 SL|233 GH|234 NG|235 TD|236 CF|237 CM|238 CV|239 ST
240 GQ|241 GA|242 CG|243 CD|244 AO|245 GW|246 IO|248 SC|249 SD|250 RW|251 ET|252 SO|253 DJ|254 KE
255 TZ|256 UG|257 BI|258 MZ|260 ZM|261 MG|262 RE YT|263 ZW|264 NA|265 MW|266 LS|267 BW|268 SZ
269 KM|27 ZA|290 SH|291 ER|297 AW|298 FO|299 GL|30 GR|31 NL|32 BE|33 FR|34 ES|350 GI|351 PT|352 LU
353 IE|354 IS|355 AL|356 MT|357 CY|358 FI AX|359 BG|36 HU|370 LT|371 LV|372 EE|373 MD|374 AM|375 BY
376 AD|377 MC|378 SM|380 UA|381 RS|382 ME|383 XK|385 HR|386 SI|387 BA|389 MK|39 IT VA|40 RO|41 CH
420 CZ|421 SK|423 LI|43 AT|44 GB GG JE IM|45 DK|46 SE|47 NO SJ|48 PL|49 DE|500 FK|501 BZ|502 GT
503 SV|504 HN|505 NI|506 CR|507 PA|508 PM|509 HT|51 PE|52 MX|53 CU|54 AR|55 BR|56 CL|57 CO|58 VE
590 GP BL MF|591 BO|592 GY|593 EC|594 GF|595 PY|596 MQ|597 SR|598 UY|599 CW BQ|60 MY|61 AU CX CC
62 ID|63 PH|64 NZ|65 SG|66 TH|670 TL|672 NF|673 BN|674 NR|675 PG|676 TO|677 SB|678 VU|679 FJ|680 PW
681 WF|682 CK|683 NU|685 WS|686 KI|687 NC|688 TV|689 PF|690 TK|691 FM|692 MH|7 RU KZ|81 JP|82 KR
84 VN|850 KP|852 HK|853 MO|855 KH|856 LA|86 CN|880 BD|886 TW|90 TR|91 IN|92 PK|93 AF|94 LK|95 MM
960 MV|961 LB|962 JO|963 SY|964 IQ|965 KW|966 SA|967 YE|968 OM|970 PS|971 AE|972 IL|973 BH|974 QA
975 BT|976 MN|977 NP|98 IR|992 TJ|993 TM|994 AZ|995 GE|996 KG|998 UZ
1242 BS|1246 BB|1264 AI|1268 AG|1284 VG|1340 VI|1345 KY|1441 BM|1473 GD|1649 TC|1658 JM|1664 MS
1670 MP|1671 GU|1684 AS|1721 SX|1758 LC|1767 DM|1784 VC|1787 PR|1809 DO|1829 DO|1849 DO|1868 TT
1869 KN|1876 JM|1939 PR
"""

_PREMIUM: Final = """
1900 3190 3290 3389 34803 34806 34807 34905 34907 351601 351607 351608 351646 351760 358600 358700
3690 3989 4090 4190 420900 420906 420909 421900 4390 4393 4487 449 4590 46900 46939 46944 4782
48700 48701 48703 48704 48708 49137 49190 49900 60600 61190 64900 651900 661900 7809 81990 8260
90900 870 878 881 882 883 979
"""


def _read_codes() -> Mapping[str, frozenset[str]]:
    entries = (entry.split() for line in _CODES.split("\n") for entry in line.split("|"))
    return MappingProxyType({words[0]: frozenset(words[1:]) for words in entries if words})


CALLING_CODES: Final = _read_codes()
"""Country calling code to ISO 3166-1 country codes."""
COUNTRIES: Final = frozenset().union(*CALLING_CODES.values())
PREMIUM: Final = tuple(_PREMIUM.split())
"""Beginnings of numbers, without "+", that cost extra to call."""


def plain_number(text: str) -> str:
    """Without "tel:", its parameters, and what only helps the eye."""
    number = text.strip()
    if number[:4].lower() == "tel:":
        number = number[4:].partition(";")[0]
    return _SEPARATORS.sub("", number)


def is_number(text: str) -> bool:
    """Whether a plain number could be dialled: digits, `*` and `#`, with or without "+"."""
    return re.fullmatch(r"\+?[0-9*#]+", text) is not None


def countries_of(number: str) -> frozenset[str]:
    """ISO codes of a plain number's countries by the longest code that fits; empty when it is not
    written with "+", or the code belongs to nobody."""
    if not number.startswith("+"):
        return frozenset()
    digits = number[1:]
    for length in range(_LONGEST_CODE, 0, -1):
        found = CALLING_CODES.get(digits[:length])
        if found is not None:
            return found
    return frozenset()


def is_premium(number: str, extra: Iterable[str] = ()) -> bool:
    """Whether a plain number with "+" begins like one that costs extra."""
    return number.startswith("+") and number[1:].startswith((*PREMIUM, *extra))
