"""The report as text: 80 columns, colour on a terminal only."""

import os
import textwrap

from formats import advice, counted, duration, moment, nothing, number, percent, plain, setting, success, used_open, used_waiting

WIDTH = 80
BAR = 44

# A share of the histogram's bars: its colour, its fill, and its fill where there is only ASCII. Blue and
# yellow are told apart by everybody; the fills differ as well.
SHARES = {
    "at once": ("36", "░", "."),
    "after waiting": ("34", "█", "#"),
    "timed out": ("33;1", "▒", "x"),
    "other": ("2", "▚", "o"),
}


class Paper:
    def __init__(self, out):
        self.out = out
        self.colour = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.unicode = (out.encoding or "").lower().replace("-", "") == "utf8"
        out.reconfigure(errors="backslashreplace")

    def styled(self, style, text):
        return f"\033[{style}m{text}\033[m" if self.colour and text else text

    def line(self, text=""):
        print(text, file=self.out)

    def heading(self, text):
        self.line()
        self.line(self.styled("1", text))

    def paragraph(self, text, indent=""):
        for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent):
            self.line(line)

    def fill(self, share, count):
        style, block, ascii_block = SHARES[share]
        return self.styled(style, (block if self.unicode else ascii_block) * count)


def shortened(text, width):
    """A path's end says more than its begin."""
    text = plain(text)
    return text if len(text) <= width else "..." + text[3 - width:]


def table(paper, columns, lines):
    """columns: heading and width, negative: to the left."""
    def row(cells, style=None):
        text = " ".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}"
                        for cell, (_, width) in zip(cells, columns)).rstrip()
        paper.line(paper.styled(style, text) if style else text)
    row([heading for heading, _ in columns], "2")
    for cells in lines:
        row(cells)


def long_table(paper, top, columns, lines):
    shown = lines if top == 0 else lines[:top]
    table(paper, columns, shown)
    if len(shown) < len(lines):
        paper.line(f"  and {number(len(lines) - len(shown))} more (--top 0 shows all)")


# --- the sections ---

def show_records(report, paper):
    lines = sum(record["lines"] for record in report["records"])
    damaged = sum(record["damaged"] for record in report["records"])
    paper.line(f"{counted(len(report['records']), 'record')}, {counted(lines, 'line')}, "
               f"{counted(report['processes'], 'process', 'processes')}"
               + (f"; {counted(damaged, 'damaged line')} left out" if damaged else ""))
    if report["began"] is not None:
        paper.line(f"{moment(report['began'])}, {duration(report['ended'] - report['began'])}")


def groups(report):
    """The stores under their numbers, and all together where there are several."""
    numbered = [(str(i), store) for i, store in enumerate(report["stores"], 1)]
    return numbered + ([("all", report["all"])] if len(numbered) > 1 else [])


def show_stores(report, paper):
    paper.heading("Stores")
    for i, store in enumerate(report["stores"], 1):
        rule = f", rule {plain(store['rule'])}" if store["rule"] else ""
        paper.line(f"{i:>4}  {shortened(store['store'], max(20, WIDTH - 6 - len(rule)))}{rule}")


def show_closes(report, paper):
    paper.heading("How closes ended")
    table(paper, [("", 4), ("closes", 10), ("at once", 12), ("after waiting", 16), ("timed out", 14), ("other", 12)],
          [(name, number(store["closes"]), *(percent(count, store["closes"]) for count in store["shares"].values()))
           for name, store in groups(report)])
    others = {outcome: count for outcome, count in report["all"]["outcomes"].items()
              if outcome not in ("settled at once", "settled after waiting", "timed out")}
    if others:
        paper.paragraph("other: " + ", ".join(f"{plain(name)} {number(count)}" for name, count in others.items()),
                        "      ")
    paper.heading("Time that closes waited")
    table(paper, [("", 4), ("p50", 10), ("p95", 12), ("p99", 16), ("max", 14), ("total", 12)],
          [(name, *(duration(time) for time in store["wait"].values())) for name, store in groups(report)])


def show_delay(report, paper):
    paper.heading(f"Against a fixed delay of {setting(report['delay'])} after each close")
    table(paper, [("", 4), ("it takes", 10), ("time saved", 12), ("of it", 16), ("was long enough", 17),
                  ("settled", 9)],
          [(name, duration(store["fixed_delay"]["total"]), duration(store["fixed_delay"]["saved"]),
            saved_share(store["fixed_delay"]), success(store["fixed_delay"]),
            percent(store["settled"], store["closes"])) for name, store in groups(report)])
    whole = report["all"]
    paper.paragraph(f"After the delay {counted(whole['fixed_delay']['early'], 'close')} of {number(whole['closes'])} "
                    f"would have gone on while the store was still held; under settle "
                    f"{number(whole['still_held'])} did." +
                    (f" Of {number(whole['fixed_delay']['unknown'])} it is not known."
                     if whole["fixed_delay"]["unknown"] else ""), "      ")


def saved_share(fixed):
    if fixed["saved"] < 0:
        return "-" + percent(-fixed["saved"], fixed["total"])
    return percent(fixed["saved"], fixed["total"])


def show_recommended(report, paper):
    paper.heading("Recommended max_wait")
    for i, store in enumerate(report["stores"], 1):
        text = f"{setting(store['recommended']['max_wait'])} (was {setting(store['max_wait'])}): {advice(store)}"
        first, *rest = textwrap.wrap(text, WIDTH - 6)
        paper.line(f"{i:>4}  {first}")
        for line in rest:
            paper.line(f"      {line}")


def bar(paper, counts, most):
    """Every share that is there is seen, if only by one character."""
    return "".join(paper.fill(share, max(1, round(count / most * BAR)) if count else 0)
                   for share, count in counts.items())


def show_histogram(report, paper):
    classes = report["histogram"]
    paper.heading("How long closes waited")
    most = max(sum(one[share] for share in SHARES) for one in classes)
    for one in classes:
        counts = {share: one[share] for share in SHARES}
        bounds = ("below" if one["from"] == 0 else duration_bound(one["from"]) + " -", duration_bound(one["to"]))
        paper.line(f"{bounds[0]:>12} {bounds[1]:>8} {number(sum(counts.values())):>9}  {bar(paper, counts, most)}")
    paper.line(" " * 32 + "  ".join(f"{paper.fill(share, 1)} {share}" for share in SHARES
                                    if report["all"]["shares"][share]))


def duration_bound(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit * 0.999:
            return f"{seconds / unit:.0f} {name}"
    return "0"


def show_uses(report, paper, top):
    """What programs did with the files besides, and what they had to wait for."""
    if not report["uses"]:
        return
    paper.heading("Uses of stores")
    long_table(paper, top, [("uses", 8), ("waited", 7), ("still held", 11), ("p50", 8), ("max", 8), ("total", 8), ("", 1),
                            ("store", -22)],
               [(number(one["uses"]), number(one["waited"]), number(one["still_held"]), duration(one["wait"]["p50"]),
                 duration(one["wait"]["max"]), duration(one["wait"]["total"]), "", shortened(one["store"], 22))
                for one in report["uses"]])
    for one in report["uses"][:top or None]:
        for said in (used_waiting(one), used_open(one)):
            if said:
                paper.paragraph(said, "      ")


def show_holders(report, paper, top):
    if not report["holders"]:
        return
    paper.heading("Who was waited for")
    long_table(paper, top, [("waited", 10), ("longest", 10), ("waits", 8), ("processes", 10), ("", 1),
                            ("command, kinds of lock", -36)],
               [(duration(one["waited"]), duration(one["longest"]), number(one["waits"]),
                 number(one["processes"]) if one["processes"] else "-", "",
                 "not named in the record" if one["kind"] is None
                 else shortened(f"{one['command'] or 'not known'}, {one['kind']}", 36))
                for one in report["holders"]])


def show_files(report, paper, top):
    if not report["files"]:
        return
    paper.heading("Store files that processes had open")
    long_table(paper, top, [("pid", 8), ("program", -14), ("opened", 8), ("", 1), ("file", -45)],
               [(str(one["pid"]), shortened(os.path.basename(one["program"]), 14), number(one["opened"]), "",
                 shortened(one["file"], 45)) for one in report["files"]])


def show_never_closed(report, paper, top):
    if not report["processes"]:
        return
    paper.heading("Handles never closed")
    if not report["never_closed"]:
        paper.line("    none")
        return
    long_table(paper, top, [("pid", 8), ("program", -14), ("fd", 7), ("exit", 5), ("", 1), ("file", -40)],
               [(str(one["pid"]), shortened(os.path.basename(one["program"]), 14), str(one["fd"]),
                 "seen" if one["exit_seen"] else "-", "", shortened(one["file"], 40))
                for one in report["never_closed"]])


def show(report, top, out):
    paper = Paper(out)
    show_records(report, paper)
    if report["all"] is None:
        for line in textwrap.wrap(plain(nothing(report)), 79, break_long_words=False, break_on_hyphens=False):
            paper.line(line)
    else:
        show_stores(report, paper)
        show_closes(report, paper)
        show_histogram(report, paper)
        show_delay(report, paper)
        show_recommended(report, paper)
    show_uses(report, paper, top)
    show_holders(report, paper, top)
    show_files(report, paper, top)
    show_never_closed(report, paper, top)
