# Copyright (c) 2026 podplacement contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A log line is one JSON object (or one line of text), and never holds a token.

What callers add with `extra=` becomes fields. Bearer tokens and JSON web tokens are struck out
wherever they are: in messages, in fields and in tracebacks.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from ..config import Logging

_TOKEN = re.compile(
    r"(?i:(?<=bearer )|(?<=bearer%20))[^\s\"',}]+"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"
)
_STRUCK = "<token>"
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(settings: Logging, stream: TextIO | None = None) -> logging.Handler:
    """Log everything of this process to `stream` (standard error) in the way asked for."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(settings.level.upper())
    # These tell of every connection and request, and never what is worth knowing.
    for noisy in ("asyncio", "aiohttp.access", "kubernetes", "urllib3"):
        logging.getLogger(noisy).setLevel(max(root.level, logging.WARNING))
    return handler


def strike_tokens(text: str) -> str:
    """The text without tokens."""
    return _TOKEN.sub(_STRUCK, text)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = {key: value for key, value in vars(record).items() if key not in _USUAL}
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        moment = moment.replace("+00:00", "Z")
        return strike_tokens(self.line(record, moment, record.getMessage(), fields, trace))

    def line(
        self,
        record: logging.LogRecord,
        moment: str,
        message: str,
        fields: dict[str, Any],
        trace: str,
    ) -> str:
        raise TypeError("use JsonLines or TextLines")


class JsonLines(_Lines):
    """One JSON object a line."""

    def line(
        self,
        record: logging.LogRecord,
        moment: str,
        message: str,
        fields: dict[str, Any],
        trace: str,
    ) -> str:
        head = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        tail = {"trace": trace} if trace else {}
        return json.dumps({**head, **fields, **head, **tail}, default=str, ensure_ascii=False)


class TextLines(_Lines):
    """One line of text; newlines in what is told are escaped, so that no line can be forged."""

    def line(
        self,
        record: logging.LogRecord,
        moment: str,
        message: str,
        fields: dict[str, Any],
        trace: str,
    ) -> str:
        told = "".join(f" {key}={value!r}" for key, value in fields.items())
        plain = message.replace("\r", "\\r").replace("\n", "\\n")
        lines = f"{moment} {record.levelname:7} {record.name}: {plain}{told}"
        return f"{lines}\n{trace}" if trace else lines
