"""How times, shares, sizes and names are written, for a terminal and a page alike."""

import time

UNITS = ((1e-6, "us"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"))


def duration(seconds):
    """Three digits: 52.1 us, 310 ms, 2.00 s, 12.5 min. A dash for what there is none of."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return "-" + duration(-seconds)
    unit, name = next(((unit, name) for unit, name in reversed(UNITS) if seconds >= 0.9995 * unit), UNITS[0])
    value = seconds / unit
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {name}" if seconds else "0 s"


def setting(seconds):
    """As it would be set: 2 s, 0.5 s, 100 ms."""
    return f"{seconds * 1000:g} ms" if 0 < seconds < 0.1 else f"{seconds:g} s"


def percent(part, whole):
    """Rounded, but what is not all is never 100, and what is not nothing never 0."""
    if whole == 0:
        return "-"
    share = 100 * part / whole
    if 0 < share < 0.05:
        return "<0.1%"
    if 99.95 <= share < 100:
        return ">99.9%"
    return f"{share:.1f}%"


def number(value):
    return f"{value:,}"


def counted(count, one, many=None):
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def plain(text):
    """A name without anything that a terminal or a page would act on: its control characters, and bytes that
    are no UTF-8, as \\x1b; other characters that cannot be seen as \\u202e."""
    return "".join(character if character.isprintable() else escaped(ord(character)) for character in text)


def escaped(code):
    if 0xdc80 <= code <= 0xdcff:
        code -= 0xdc00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def moment(seconds):
    return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(seconds))


def advice(closes):
    """Why this max_wait is recommended."""
    timed_out = counted(closes["shares"]["timed out"], "wait")
    longest = duration(closes["longest_settled"])
    return {
        "nothing waited": "no wait was needed: nothing to go by, keep it",
        "twice the longest": f"the longest of {counted(closes['waits_that_settled'], 'wait')} that settled took "
                             f"{longest}; twice that, rounded up",
        "at least, measure again": f"at least: {timed_out} timed out, others settled only after {longest}; what "
                                   "was cut off was not seen, so set this and measure again",
        "look at the holder": f"keep it and look at the holder: {timed_out} timed out after "
                              f"{duration(closes['longest_timed_out'])}, " +
                              ("none settled" if closes["longest_settled"] is None
                               else f"but none that settled took over {longest}") +
                              "; whether a longer wait would have helped was not seen",
    }[closes["recommended"]["why"]]


def success(fixed):
    """A share where it is known, two where it lies between them."""
    low, high = (percent(share, 1) for share in fixed["success"])
    return low if low == high else f"{low[:-1]}-{high}"


def used_open(uses):
    """Of a store that was used without being closed; None if it was closed."""
    handles = uses["open_handles"]
    if not uses["open"]:
        return None
    return (f"{plain(uses['store'])} was never closed before {number(uses['open'])} of its "
            f"{counted(uses['uses'], 'use')}: " + ("a handle of the program itself was open" if handles == 1 else
                                                   f"up to {number(handles)} handles of the program itself were open"))


def used_waiting(uses, whose=None):
    """Of a store: which uses waited for somebody, and how long; None if none did. whose: words for the uses, where
    the store's name stands beside."""
    told = [f"{number(one['uses'])} of {plain(what)} for {'at most ' if one['uses'] > 1 else ''}{duration(one['max'])}"
            for what, one in uses["what_waited"].items()]
    whose = whose or f"{plain(uses['store'])}, uses"
    return f"{whose} that waited: {', '.join(told)}" if told else None


def nothing(report):
    """Why there are no closes to tell of, in a sentence."""
    if report["stores_opened"]:
        return "No close waited, or was recorded."
    damaged = any(record["damaged"] for record in report["records"])
    if not report["processes"]:
        return ("No line could be read, so nothing is known." if damaged else
                "Nothing was recorded: no process that settle was in has written a line.")
    passed_over = report["passed_over"]
    if "database" in passed_over:
        return (f"No store was opened, but the SQLite database {passed_over['database']} was: "
                "settle --stores chroma:sqlite tracks it.")
    if "directory" in passed_over:
        return (f"No store was opened, but a file in {passed_over['directory']} was, to be written: "
                f"settle --dir {passed_over['directory']} tracks it.")
    return "No store was opened, by the lines that could be read." if damaged else "No store was opened."
