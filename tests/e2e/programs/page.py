"""page.py FILE: reads a page as a browser would, without one. Prints "fine" where each tag is closed in its
order, each id is there once, nothing is fetched and the data are JSON; else what is wrong. Then, on a line
of its own each, the texts of the data."""

import html.parser
import json
import re
import sys

EMPTY = {"meta", "link", "br", "img", "input"}
FETCHING = {"src", "href", "srcset", "poster", "action", "formaction", "background", "data"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.wrong, self.data = [], set(), [], ""

    def handle_starttag(self, tag, attributes):
        if tag not in EMPTY:
            self.open.append(tag)
        for name, value in attributes:
            if name in FETCHING or name.startswith("on"):
                self.wrong.append(f"<{tag} {name}={value!r}>")
            if name == "id":
                if value in self.ids:
                    self.wrong.append(f"two of id {value}")
                self.ids.add(value)
        self.is_data = dict(attributes).get("id") == "data"

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and self.is_data:
            self.data += data
        if self.open and self.open[-1] in ("script", "style") and re.search(r"https?:|//\w|@import|url\(", data):
            if not self.is_data:
                self.wrong.append(f"a reference in <{self.open[-1]}>")


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        text = file.read()
    page = Page()
    page.feed(text)
    page.close()
    if page.open:
        page.wrong.append(f"not closed: {page.open}")
    texts = json.loads(page.data)["texts"]
    if "\0" in text or any(0xd800 <= ord(character) < 0xe000 for character in text):
        page.wrong.append("characters that are none")
    print("; ".join(page.wrong) or "fine")
    for one in texts:
        print(one)


main()
