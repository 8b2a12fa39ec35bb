"""Takes secrets and what people asked out of texts that may be shown, saved and sent. Pure.

What is taken out leaves "…", so that one sees that something was there. No pattern has a repeat
within a repeat: a text of any form takes time in proportion to its length.
"""

import re

_NAMES = (
    r"api[_-]?keys?|(?:hf|hub|auth|access|refresh|session|security|bearer|ngc|github|gitlab)"
    r"[_-]?token|secret(?:[_-]?access)?(?:[_-]?key)?|private[_-]?key|access[_-]?key(?:[_-]?id)?|"
    r"passw(?:or)?d|passphrase"
)
# One of them is in every name that makes what stands behind it a secret.
_HINTS = ("key", "token", "secret", "passw", "passphrase", "cookie", "author")
_NOTHING = r"(?!(?:None|True|False|null|true|false|unset|missing|\*)\b|\[\]|''|\"\")"
# A list, what stands in quotation marks (also escaped ones), or what goes on to the next sign.
_VALUE = (
    r"(?:\[[^\]\n]{0,4000}\]?|\\?'[^'\n]{1,4000}'?|\\?\"[^\"\n]{1,4000}\"?"
    r"|[^\s,;&)}\]'\"\\]{1,4000})"
)
_NAMED = re.compile(
    rf"((?:{_NAMES})\w{{0,20}}\\?['\"]?\s{{0,3}}(?::=|=>|[=:])\s{{0,3}}){_NOTHING}{_VALUE}",
    re.IGNORECASE,
)
# As in an environment, or in YAML: "ADMIN_TOKEN: …", "OPENAI_KEY=…"; "EOS_TOKEN: 2" is none.
_TOKEN_SET = re.compile(
    r"(\b[A-Z0-9_]{0,40}(?:TOKEN|SECRET|PASSWORD|[A-Z0-9]_KEY)\\?['\"]?\s{0,3}[=:]\s{0,3})"
    rf"(?!\d{{1,7}}\b){_NOTHING}{_VALUE}"
)
_FLAG = re.compile(
    rf"(--(?:[\w-]{{0,30}})(?:{_NAMES}))((?:\s{{1,3}}(?!-)[^\s,\]]{{1,4000}}){{1,8}})",
    re.IGNORECASE,
)
_LISTED_FLAG = re.compile(rf"(--[\w-]{{0,30}}(?:{_NAMES})['\"],\s{{0,3}}){_VALUE}", re.IGNORECASE)
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization\\?['\"]?\s{0,3}[:=,]\s{0,3}|(?:set-)?cookie: ).*", re.IGNORECASE
)
_BEARER = re.compile(r"\b(bearer|basic)\s{1,3}[\w.~+/=-]{8,}", re.IGNORECASE)
_SIGNED = re.compile(
    r"([?&](?:x-amz-|x-goog-)?"
    r"(?:signature|security-token|credential|policy|key-pair-id|token|sig|key)=)"
    r"[^&\s'\"]{1,4000}",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/'\"]{1,1000}@", re.IGNORECASE)
# Names in programs begin so too ("hf_overrides"): a token has a digit or a capital, or is long.
_FORMS = re.compile(
    r"(hf_|api_org_)(?:[A-Za-z0-9]{16,}|(?=[a-z]{0,15}[A-Z0-9])[A-Za-z0-9]{8,})"
    r"|\b(sk-|gh[pousr]_|github_pat_|glpat-|nvapi-|xox[abpr]-)[A-Za-z0-9_-]{16,}"
    r"|\b(AKIA|ASIA)[A-Z0-9a-z]{12,}|\b(eyJ)[A-Za-z0-9_.-]{16,}"
)
_ASKED = re.compile(
    r"((?:Received request |Request |Generated response )[^\n]{0,300}?"
    r"(?:prompt|JSON body|output|output_token_ids|messages):).*"
)


# A message or prompt quoted as a dict or as JSON: errors of validation repeat what was sent.
_QUOTED = re.compile(r"(\\?['\"](?:messages|prompt|content)\\?['\"]\s{0,3}:)\s{0,3}[\[{'\"\\].*")


def redact(text: str) -> str:
    """The line or text without tokens, keys, passwords, and without what somebody asked."""
    if "equest " in text or "Generated " in text:
        text = _ASKED.sub(r"\1 …", text)
    if "essages" in text or "prompt" in text or "content" in text:
        text = _QUOTED.sub(r"\1 …", text)
    text = _FORMS.sub(r"\1\2\3\4…", text)
    if "://" in text or "?" in text:
        text = _SIGNED.sub(r"\1…", _LOGIN.sub(r"\1…@", text))
    lower = text.lower()
    if "bearer" in lower or "basic" in lower:
        text = _BEARER.sub(r"\1 …", text)
    return _without_named(text) if any(word in lower for word in _HINTS) else text


def _without_named(text: str) -> str:
    """What stands behind a name that says that it is secret."""
    text = _HEADER.sub(r"\1…", text)
    if "--" in text:
        text = _FLAG.sub(r"\1 …", _LISTED_FLAG.sub(r"\1…", text))
    return _TOKEN_SET.sub(r"\1…", _NAMED.sub(r"\1…", text))
