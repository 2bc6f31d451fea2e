# SPDX-License-Identifier: Apache-2.0
"""Reads an asciicast as the decoder of existing clients does (slot-protocol.md 3.5): an independent, small terminal."""
import json
import re

ESCAPE = re.compile(r"\x1b(?:\[([0-9;?]*)([@-~])|[()][0AB]|[=>78MDEHc])")


class Decoder:
    """`text()` is rows x columns characters, padded with blanks."""

    def __init__(self):
        self.columns, self.rows = 80, 24
        self.version = None
        self.events = []
        self.clear()

    def clear(self):
        self.grid = [[" "] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0

    def feed(self, lines):
        for line in lines.splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                self.header(value)
            elif isinstance(value, list) and len(value) == 3:
                self.event(value)

    def header(self, value):
        first = lambda *names: next(value[name] for name in names if name in value)
        self.version = value["version"]
        self.resize(int(first("width", "columns", "cols")), int(first("height", "rows", "lines")))

    def event(self, value):
        self.events.append(value)
        if value[1] == "o":
            self.output(value[2])
        elif value[1] == "r":
            self.resize(*map(int, value[2].split("x")))

    def resize(self, columns, rows):
        old = self.grid
        self.columns, self.rows = columns, rows
        self.grid = [[old[r][c] if r < len(old) and c < len(old[r]) else " " for c in range(columns)] for r in range(rows)]
        self.row, self.column = min(self.row, rows - 1), min(self.column, columns - 1)

    def output(self, text):
        at = 0
        while at < len(text):
            found = ESCAPE.match(text, at)
            if found:
                self.escape(found)
                at = found.end()
            else:
                self.character(text[at])
                at += 1

    def escape(self, found):
        numbers = [int(n) if n.isdigit() else 0 for n in (found[1] or "").split(";")]
        if found[2] == "H":
            self.row = min(max(numbers[0], 1), self.rows) - 1
            self.column = min(max((numbers + [1])[1], 1), self.columns) - 1
        elif found[2] == "J" and numbers[0] == 2:
            self.grid = [[" "] * self.columns for _ in range(self.rows)]
        elif found[2] == "K":
            self.grid[self.row][self.column:] = [" "] * (self.columns - self.column)

    def newline(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.grid = self.grid[1:] + [[" "] * self.columns]

    def character(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.newline()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character >= " ":
            if self.column == self.columns:
                self.column = 0
                self.newline()
            self.grid[self.row][self.column] = character
            self.column += 1

    def text(self):
        return "\n".join("".join(row) for row in self.grid)

    def lines(self):
        """What stands there, without the padding."""
        return [line.rstrip() for line in self.text().split("\n")]
