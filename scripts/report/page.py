"""The report as one page that needs no network: page.html with its style, script and data put in."""

import base64
import hashlib
import html
import json
import os
import re

import formats
from figures import SHARES
from formats import counted, moment, nothing, number, percent, plain, setting, success

HERE = os.path.dirname(os.path.realpath(__file__))

# A table with more rows than this is folded.
LONG = 12


def part(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def digest(text):
    """What the content security policy lets run: this, and nothing that a name might smuggle in."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def embedded(data):
    """JSON that ends no script element: as ASCII, without the character that begins a tag."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def shown(text):
    return html.escape(plain(text))


def css_class(share):
    return share.replace(" ", "-")


# --- pieces ---

def duration(seconds):
    return formats.duration(seconds).replace("us", "&#181;s").replace(" ", "&nbsp;")


def advice(closes):
    return formats.advice(closes).replace(" us", " &#181;s")


def table(headings, lines, fold=None):
    """A heading is (text, class); a line is a list of HTML, or (class of the row, list)."""
    head = "".join(f'<th scope="col" class="{kind}">{text}</th>' for text, kind in headings)
    body = []
    for line in lines:
        kind, cells = line if isinstance(line, tuple) else ("", line)
        body.append(f'<tr class="{kind}">' + "".join(
            f'<td class="{column}" data-is="{text}">{cell}</td>'
            for (text, column), cell in zip(headings, cells)) + "</tr>")
    made = (f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f'<tbody>{"".join(body)}</tbody></table></div>')
    if fold and len(lines) > LONG:
        return f"<details><summary>{fold}</summary>{made}</details>"
    return made


def section(heading, *content):
    return f"<section><h2>{heading}</h2>{''.join(content)}</section>"


def quiet(text):
    return f'<p class="quiet">{text}</p>'


def share_bar(closes):
    parts = "".join(f'<i class="{css_class(share)}" style="flex-grow:{count}"></i>'
                    for share, count in closes["shares"].items() if count)
    return f'<div class="shares">{parts}</div>'


def store_name(store):
    rule = f' <span class="tag">rule {shown(store["rule"])}</span>' if store["rule"] else ""
    return f'<span class="path">{shown(store["store"])}</span>{rule}'


def groups(report):
    """Each store, and all together where there are several: class of the row, name, figures."""
    lines = [("", store_name(store), store) for store in report["stores"]]
    return lines + ([("all", "All stores", report["all"])] if len(lines) > 1 else [])


# --- the sections ---

def about(report):
    lines = sum(record["lines"] for record in report["records"])
    words = [counted(len(report["records"]), "record"), counted(lines, "line"),
             counted(report["processes"], "process", "processes")]
    if report["began"] is not None:
        words += [moment(report["began"]), duration(report["ended"] - report["began"])]
    return " &middot; ".join(words)


def damaged(report):
    count = sum(record["damaged"] for record in report["records"])
    return f'<p class="warning">{counted(count, "line")} could not be read and are left out.</p>' if count else ""


def tile(name, figure, *notes):
    return (f'<div><dt>{name}</dt><dd><div class="figure">{figure}</div>'
            + "".join(f'<div class="note">{note}</div>' for note in notes) + "</dd></div>")


def tiles(report):
    whole, fixed = report["all"], report["all"]["fixed_delay"]
    slower = fixed["saved"] < 0
    return '<dl class="tiles">' + "".join((
        tile("Closes", number(whole["closes"]), share_bar(whole)),
        tile("Settled when they returned", percent(whole["settled"], whole["closes"]),
             f"{counted(whole['shares']['timed out'], 'wait')} timed out"),
        tile("Waited in all", duration(whole["wait"]["total"]),
             f"half of the closes up to {duration(whole['wait']['p50'])}, 99% up to {duration(whole['wait']['p99'])}"),
        tile(f"{'Lost' if slower else 'Saved'} against {setting(report['delay'])} each",
             duration(abs(fixed["saved"])),
             f"which is too short for {counted(fixed['early'], 'close')}"))) + "</dl>"


def histogram(report):
    most = max(sum(one[share] for share in SHARES) for one in report["histogram"])
    columns = []
    for i, one in enumerate(report["histogram"]):
        count = sum(one[share] for share in SHARES)
        bounds = f"{bound(one['from'])} to {bound(one['to'])}"
        told = "; ".join(f"{share} {number(one[share])}" for share in SHARES if one[share]) or "none"
        parts = "".join(f'<i class="{css_class(share)}" style="height:{85 * one[share] / most:.2f}%"></i>'
                        for share in SHARES if one[share])
        label = f'<span class="bound" aria-hidden="true">{bound(one["from"])}</span>' if i == 0 or decade(one) else ""
        total = f'<span class="count" aria-hidden="true">{number(count)}</span>' if count else ""
        columns.append(f'<li title="{bounds}: {told}"><span class="unseen">{bounds}: {told}</span>'
                       f"{parts}{total}{label}</li>")
    keys = "".join(f'<li><i class="key {css_class(share)}"></i>{share}</li>' for share in SHARES
                   if report["all"]["shares"][share])
    return section("How long closes waited", f'<ol class="histogram">{"".join(columns)}</ol>',
                   f'<ul class="legend" aria-label="Colours">{keys}</ul>')


def bound(seconds):
    unit, name = next(((unit, name) for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "&#181;s"))
                       if seconds >= unit * 0.999), (1, "s"))
    return f"{seconds / unit:.0f}&nbsp;{name}"


def decade(one):
    return f"{one['from']:e}".startswith("1.0")


def ends(report):
    headings = [("Store", "wide name"), ("closes", "n"), *((share, "n") for share in SHARES),
                *((name, "n") for name in ("p50", "p95", "p99", "max", "total"))]
    lines = [(kind, [name + share_bar(one), number(one["closes"]),
                     *(percent(count, one["closes"]) for count in one["shares"].values()),
                     *(duration(time) for time in one["wait"].values())])
             for kind, name, one in groups(report)]
    return section("Stores", quiet("How their closes ended, and how long they waited."), table(headings, lines))


def advices(report):
    headings = [("Store", "wide name"), ("delay takes", "n"), ("saved", "n"), ("long enough", "n"), ("settled", "n"),
                ("max_wait", "wide")]
    lines = []
    for kind, name, one in groups(report):
        fixed = one["fixed_delay"]
        wait = "" if kind else (f"<b>{setting(one['recommended']['max_wait'])}</b>, was {setting(one['max_wait'])}"
                                f"<small>{advice(one)}</small>")
        lines.append((kind, [name, duration(fixed["total"]), duration(fixed["saved"]), success(fixed),
                             percent(one["settled"], one["closes"]), wait]))
    return section(f"Against a fixed delay of {setting(report['delay'])}",
                   quiet("What the delay would take after each close, for how many closes it would have been long "
                         "enough, how many were settled under settle, and the max_wait that the waits speak for."),
                   table(headings, lines))


def uses(report):
    if not report["uses"]:
        return ""
    headings = [("Store", "wide name"), ("uses", "n"), ("what", "wide"), ("waited", "n"), ("still held", "n"),
                *((name, "n") for name in ("p50", "p95", "p99", "max", "total")), ("while open", "n")]
    lines = [[f'<span class="path">{shown(one["store"])}</span>' +
              "".join(f"<small>{shown(said)}</small>" for said in (formats.used_waiting(one, "Uses"),
                                                                   formats.used_open({**one, "store": "It"})) if said),
              number(one["uses"]), ", ".join(f"{shown(what)} {number(count)}" for what, count in one["what"].items()),
              number(one["waited"]), number(one["still_held"]), *(duration(time) for time in one["wait"].values()),
              number(one["open"]) if one["open"] else ""] for one in report["uses"]]
    return section("Uses", quiet("What programs did with the files of their stores, besides opening and closing them, "
                                 "and how long that waited."), table(headings, lines, counted(len(lines), "store")))


def holders(report):
    if not report["holders"]:
        return ""
    lines = [["not named in the record" if one["kind"] is None else f"<b>{shown(one['command'] or 'not known')}</b>",
              shown(one["kind"] or ""), number(one["waits"]), number(one["processes"]) if one["processes"] else "",
              duration(one["waited"]), duration(one["longest"])] for one in report["holders"]]
    headings = [("Holder", "wide"), ("kinds of lock", ""), ("waits", "n"), ("processes", "n"), ("waited", "n"),
                ("longest", "n")]
    return section("Who was waited for", table(headings, lines, f"{counted(len(lines), 'holder')}"))


def ended(wait):
    """A close says how it ended; a use says what it was, too."""
    return wait["outcome"] if wait["use"] is None else f"{wait['use']}, {wait['outcome']}"


def longest_waits(report, start):
    if not report["longest_waits"]:
        return ""
    lines = []
    for one in report["longest_waits"]:
        show = (f'<button type="button" data-began="{round((one["began"] - start) * 1e6)}" '
                f'data-elapsed="{round(one["elapsed"] * 1e6)}" hidden>show</button>')
        lines.append([duration(one["elapsed"]),
                      f'<span><i class="key {css_class(one["share"])}"></i>{shown(ended(one))}</span>',
                      f"{shown(os.path.basename(one['program']))} {one['pid']}",
                      f'<span class="path">{shown(one["store"])}</span>', shown(one["holders"] or ""), show])
    headings = [("waited", "n wide"), ("outcome", "wide"), ("process", "wide"), ("store", "wide"), ("holders", "wide"),
                ("", "act")]
    return section("The longest waits", table(headings, lines))


def files(report):
    if not report["files"]:
        return ""
    lines = [[f"{shown(os.path.basename(one['program']))} {one['pid']}",
              f'<span class="path">{shown(one["file"])}</span>', number(one["opened"]),
              number(one["never_closed"]) if one["never_closed"] else ""] for one in report["files"]]
    headings = [("process", "wide"), ("file", "wide"), ("opened", "n"), ("never closed", "n")]
    return section("Store files that processes had open",
                   table(headings, lines, f"{counted(len(lines), 'file')} by process"))


def never_closed(report):
    if not report["processes"]:
        return ""
    if not report["never_closed"]:
        return section("Handles never closed", quiet("None."))
    lines = [[f"{shown(os.path.basename(one['program']))} {one['pid']}", str(one["fd"]), shown(one["role"]),
              f'<span class="path">{shown(one["file"])}</span>', moment(one["opened"]),
              "yes" if one["exit_seen"] else "no"] for one in report["never_closed"]]
    headings = [("process", "wide"), ("fd", "n"), ("role", ""), ("file", "wide"), ("opened", "wide"), ("exit seen", "")]
    return section("Handles never closed", table(headings, lines, counted(len(lines), "handle")))


def render(report, timeline):
    script = part("page.js")
    closes = report["all"] is not None
    pieces = {
        "style": part("page.css"),
        "script": script, "script_hash": digest(script),
        "data": embedded({**timeline, "texts": [plain(text) for text in timeline["texts"]]}),
        "about": about(report),
        "damaged": damaged(report),
        "summary": tiles(report) + histogram(report) if closes else quiet(shown(nothing(report))),
        "tables": "".join(((ends(report) + advices(report) if closes else ""), uses(report), holders(report),
                           longest_waits(report, timeline["start"]), files(report), never_closed(report))),
    }
    return re.sub(r"@(\w+)@", lambda found: pieces[found[1]], part("page.html"))
