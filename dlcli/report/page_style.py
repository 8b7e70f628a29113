"""How a page looks: one sheet for phone, desk and paper, light and dark; nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

# Each pair of text and ground has a contrast of at least 4.5 to 1 (WCAG 2.2, success criterion 1.4.3); a test computes it.
LIGHT: Mapping[str, str] = {
    "ground": "#ffffff",
    "panel": "#f3f5f7",
    "text": "#1b1f24",
    "soft": "#545d68",
    "line": "#d5dae0",
    "link": "#0b5cad",
    "good": "#0b6b4b",
    "warn": "#8a4b00",
    "fill": "#7a3b8f",
}
DARK: Mapping[str, str] = {
    "ground": "#14171b",
    "panel": "#1e2329",
    "text": "#e6e9ed",
    "soft": "#a6b0bb",
    "line": "#363d46",
    "link": "#7db7f5",
    "good": "#5fd0a0",
    "warn": "#f0b060",
    "fill": "#d9a4ec",
}

_RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
body{margin:0;background:var(--ground);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,nav,main,footer{max-width:52rem;margin:0 auto;padding:0 1rem}
header{padding-top:2rem}
h1,h2,h3{line-height:1.25;overflow-wrap:anywhere;text-wrap:balance}
h1{font-size:1.75rem;margin:0 0 .25rem}
h2{font-size:1.3rem;margin:2.75rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
p{margin:.6rem 0;overflow-wrap:anywhere}
a{color:var(--link)}
.lead,.aside,figcaption,caption,footer{color:var(--soft);font-size:.9rem}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:1rem 0 0;padding:0;font-size:.9rem}
nav a{display:inline-block;padding:.2rem 0;text-decoration:none}
nav a:hover,nav a:focus{text-decoration:underline}
.verdict,.warning,.fill,.missing{background:var(--panel);border-left:.25rem solid var(--good);padding:.5rem .8rem;margin:.5rem 0}
.warning{border-color:var(--warn)}
.fill{border-color:var(--fill)}
.missing{border-color:var(--line);color:var(--soft)}
.mark{font-weight:600;color:var(--good)}
.warning .mark{color:var(--warn)}
.fill .mark{color:var(--fill)}
ul{padding-left:1.25rem}
li{margin:.2rem 0;overflow-wrap:anywhere}
dl{display:grid;grid-template-columns:minmax(7rem,13rem) 1fr;gap:.25rem 1rem;margin:.75rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:.75rem 0;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem;min-width:50%}
caption{text-align:left;padding-bottom:.3rem}
caption span{display:inline-block;max-width:calc(100vw - 2rem)}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
th{font-weight:500}
thead th{color:var(--soft);white-space:normal}
.word{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7rem;max-width:26rem}
.bounds{display:block;color:var(--soft);font-size:.88em}
figure{margin:1rem 0}
img{display:block;max-width:100%;height:auto;background:#fff;border:1px solid var(--line);border-radius:4px}
code,pre{font:.88em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
code{overflow-wrap:anywhere}
pre{background:var(--panel);padding:.7rem .9rem;margin:.75rem 0;white-space:pre-wrap;overflow-wrap:anywhere;border-radius:4px}
footer{margin-top:3rem;padding-bottom:2rem}
@media (max-width:30rem){dl{grid-template-columns:minmax(4.5rem,7rem) 1fr;gap:.3rem .6rem}
.wide img{width:34rem;max-width:none}table{font-size:.85rem}.word{min-width:5.5rem}
h1{font-size:1.45rem}th,td{padding-right:.55rem}}
@media print{nav{display:none}body{font-size:10pt}header,main,footer{max-width:none;padding:0}h2,h3{break-after:avoid}
figure,tr,.verdict,.warning,.fill{break-inside:avoid}.scroll{overflow:visible}img{max-height:15cm;width:auto}a{color:inherit}
th,td{white-space:normal;padding-right:.4rem}table{font-size:8pt}}
"""


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{colour};" for name, colour in colours.items())


# Paper is white whatever the screen is.
STYLE = (
    f":root{{color-scheme:light dark;{_variables(LIGHT)}}}\n"
    f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}{_RULES}"
)


def policy() -> str:
    """Returns the page's content-security policy: embedded pictures and this one sheet; no script, no request, no form."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
