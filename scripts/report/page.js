"use strict";
// The timeline: a canvas that draws what is seen of the data, at one column of pixels at a time, so that
// 100,000 events are as quick as ten. Times are microseconds since data.start.
(() => {
    const data = JSON.parse(document.getElementById("data").textContent);
    const text = number => data.texts[number];
    const element = id => document.getElementById(id);
    if (data.waits.length + data.handles.length === 0)
        return;
    element("timeline-section").hidden = false;

    // --- what is drawn: rows ---

    // The later ones are drawn over the earlier, so that a time-out is seen among many.
    const SHARES = ["at once", "other", "after waiting", "timed out"];
    const AXIS = 26;
    const HEIGHTS = {store: 32, process: 38, holder: 26};

    const whole = {from: 0, to: Math.max(1000, data.end)};
    const margin = (whole.to - whole.from) * 0.02;
    whole.from -= margin;
    whole.to += margin;

    const name = path => path.slice(path.lastIndexOf("/") + 1);

    // A use of the files says what it was, and a close nothing.
    const ended = (outcome, use) => text(use) ? `${text(use)}, ${text(outcome)}` : text(outcome);
    const waits = data.waits.map(([process, store, share, outcome, rule, began, elapsed, use], index) => ({
        index, process, store, began, ended: began + elapsed, elapsed, share: text(share),
        rank: SHARES.indexOf(text(share)), outcome: ended(outcome, use), rule: text(rule), holders: [],
    }));
    for (const [wait, pid, command, kind] of data.holders)
        waits[wait].holders.push({who: text(command) || pid ? `${text(command) || "not known"} ${pid || "?"}` : "somebody",
            kind: text(kind)});

    const handles = data.handles.map(([process, store, file, role, opened, closed]) => ({
        process, store, file: text(file), role: text(role), opened, closed,
        ended: closed ?? data.processes[process][2] ?? data.end,
    }));

    function grouped(things, key) {
        const groups = new Map();
        for (const thing of things) {
            const group = key(thing);
            if (!groups.has(group))
                groups.set(group, []);
            groups.get(group).push(thing);
        }
        return groups;
    }

    // The times at which the number of open handles changes, and the number from then on.
    function steps(handles) {
        const changes = [];
        for (const handle of handles)
            changes.push([handle.opened, 1], [handle.ended, -1]);
        changes.sort((a, b) => a[0] - b[0]);
        let count = 0;
        return {times: changes.map(([time]) => time), counts: changes.map(([, change]) => count += change)};
    }

    // Intervals by their begin, and for each the latest end of those up to it: what is seen of them is found
    // by halving.
    function ordered(intervals) {
        let latest = -Infinity;
        intervals.sort((a, b) => a.began - b.began);
        return {intervals, latest: intervals.map(interval => latest = Math.max(latest, interval.ended))};
    }

    function first(count, holds) {
        let low = 0;
        for (let high = count; low < high;) {
            const middle = (low + high) >> 1;
            if (holds(middle))
                high = middle;
            else
                low = middle + 1;
        }
        return low;
    }

    function* within({intervals, latest}, from, to) {
        for (let i = first(latest.length, i => latest[i] >= from); i < intervals.length && intervals[i].began <= to; i++)
            if (intervals[i].ended >= from)
                yield intervals[i];
    }

    function makeRows() {
        const rows = [];
        const waitsOf = grouped(waits, wait => wait.store);
        const handlesOf = grouped(handles, handle => handle.store);
        for (const store of new Set([...handlesOf.keys(), ...waitsOf.keys()])) {
            rows.push({kind: "store", label: text(store)});
            const handlesBy = grouped(handlesOf.get(store) ?? [], handle => handle.process);
            const waitsBy = grouped(waitsOf.get(store) ?? [], wait => wait.process);
            for (const process of new Set([...handlesBy.keys(), ...waitsBy.keys()])) {
                const [pid, program] = data.processes[process];
                const own = handlesBy.get(process) ?? [];
                rows.push({kind: "process", label: `${name(text(program))} ${pid}`, handles: own, steps: steps(own),
                    waits: ordered(waitsBy.get(process) ?? [])});
            }
            const held = (waitsOf.get(store) ?? []).flatMap(wait => wait.holders.map(holder => ({holder, wait})));
            for (const [label, causes] of grouped(held, ({holder}) => holder.who))
                rows.push({kind: "holder", label, waits: ordered(causes.map(({wait}) => wait))});
        }
        let top = AXIS;
        for (const row of rows) {
            row.top = top;
            row.height = HEIGHTS[row.kind];
            top += row.height;
        }
        return rows;
    }

    const rows = makeRows();
    for (const row of rows)
        for (const {index} of row.kind === "process" ? row.waits.intervals : [])
            waits[index].row = row;

    // --- how it is drawn ---

    const canvas = element("timeline");
    const overview = element("overview");
    const view = element("view");
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let span = {...whole};
    let selected = null;
    let scale = 1;
    let width = 0; // of the canvas; to ask for it is slow
    let gutter = 0; // where the names of the rows stand; on a narrow screen they stand above
    let colours;

    function readColours() {
        const style = getComputedStyle(document.documentElement);
        const colour = name => style.getPropertyValue("--" + name).trim();
        colours = Object.fromEntries(["paper", "raised", "ink", "quiet", "line", "accent", "handles", "holder"]
            .map(name => [name, colour(name)]));
        colours.shares = SHARES.map(share => colour(share.replace(" ", "-")));
        colours.font = getComputedStyle(document.body).fontFamily;
    }

    // A time-out is striped, for those who do not see its colour.
    function stripes(context, colour) {
        const tile = document.createElement("canvas");
        const size = Math.round(6 * scale);
        tile.width = tile.height = size;
        const pen = tile.getContext("2d");
        pen.fillStyle = colour;
        pen.fillRect(0, 0, size, size);
        pen.strokeStyle = colours.paper;
        pen.globalAlpha = 0.55;
        pen.lineWidth = 1.5 * scale;
        for (const shift of [-size, 0, size]) {
            pen.beginPath();
            pen.moveTo(shift, size);
            pen.lineTo(shift + size, 0);
            pen.stroke();
        }
        return context.createPattern(tile, "repeat");
    }

    const xOf = time => gutter + (time - span.from) / (span.to - span.from) * (width - gutter);
    const timeOf = x => span.from + (x - gutter) / (width - gutter) * (span.to - span.from);

    // Columns of device pixels, each with the largest value of what falls on it; drawn as few rectangles.
    function Columns(count) {
        const values = new Int32Array(count);
        return {
            put(from, to, value) {
                const end = Math.min(count - 1, Math.floor(to));
                for (let x = Math.max(0, Math.floor(from)); x <= end; x++)
                    if (values[x] < value)
                        values[x] = value;
            },
            each(draw) {
                for (let x = 0, begin = 0; x <= count; x++)
                    if (x === count || values[x] !== values[begin]) {
                        if (values[begin] !== 0)
                            draw(begin, x - begin, values[begin]);
                        begin = x;
                    }
            },
        };
    }

    const column = time => (xOf(time) - gutter) * scale;

    function drawSteps(context, row, top, height) {
        const {times, counts} = row.steps;
        const columns = Columns(Math.ceil((width - gutter) * scale));
        const begin = Math.max(0, first(times.length, i => times[i] > span.from) - 1);
        for (let i = begin; i < times.length && times[i] <= span.to; i++)
            if (counts[i] > 0)
                columns.put(column(times[i]), Math.max(column(times[i + 1]) - 1, column(times[i])), counts[i]);
        context.fillStyle = colours.handles;
        columns.each((x, length, count) => {
            const tall = height * (1 - 0.6 ** count);
            context.fillRect(gutter + x / scale, top + height - tall, length / scale, tall);
        });
    }

    function drawWaits(context, row, top, height, fill) {
        const columns = Columns(Math.ceil((width - gutter) * scale));
        for (const wait of within(row.waits, span.from, span.to))
            columns.put(column(wait.began), Math.max(column(wait.ended) - 1, column(wait.began) + 1.5 * scale - 1),
                wait.rank + 1);
        columns.each((x, length, rank) => {
            context.fillStyle = fill(rank - 1);
            context.fillRect(gutter + x / scale, top, length / scale, height);
        });
    }

    function fitted(context, label, room) {
        if (context.measureText(label).width <= room)
            return label;
        const keep = first(label.length, skip => context.measureText("…" + label.slice(skip)).width <= room);
        return "…" + label.slice(keep);
    }

    const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap(n => [n, n * 1e3])
        .concat([1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
            172800, 604800, 2592000, 31536000].map(n => n * 1e6)).sort((a, b) => a - b);

    // A moment of the record, with as many digits as the distance of the ticks asks for.
    function clock(time, distance) {
        const at = data.start * 1e6 + time;
        const local = new Date(Math.floor(at / 1e3) + data.offset * 1000);
        const [day, hours] = local.toISOString().split("T");
        if (distance >= 86400e6)
            return day;
        const digits = distance >= 1e6 ? 0 : distance >= 1e3 ? 3 : 6;
        const micro = String(Math.floor(at - Math.floor(at / 1e6) * 1e6)).padStart(6, "0");
        return hours.slice(0, 8) + (digits ? "." + micro.slice(0, digits) : "");
    }

    function ticks() {
        const wanted = (span.to - span.from) / Math.max(1, (width - gutter) / 120);
        const distance = TICKS.find(tick => tick >= wanted) ?? TICKS[TICKS.length - 1];
        // Round in the time of the clock, not since the first line.
        const shift = (data.start + data.offset) * 1e6 % distance;
        const found = [];
        for (let at = Math.ceil((span.from + shift) / distance) * distance - shift; at <= span.to; at += distance)
            found.push(at);
        return {distance, found};
    }

    function drawAxis(context, height) {
        const {distance, found} = ticks();
        context.fillStyle = colours.paper;
        context.fillRect(0, 0, width, AXIS);
        context.font = `12px ${colours.font}`;
        context.textBaseline = "middle";
        context.textAlign = "left";
        for (const at of found) {
            const x = xOf(at);
            context.fillStyle = colours.line;
            context.fillRect(Math.round(x), AXIS - 6, 1, height);
            context.fillStyle = colours.quiet;
            if (x + 60 < width)
                context.fillText(clock(at + 0.5, distance), x + 4, AXIS / 2);
        }
        context.fillStyle = colours.line;
        context.fillRect(0, AXIS - 1, width, 1);
    }

    function drawRow(context, row, top, patterns) {
        const narrow = gutter === 0;
        context.textBaseline = "middle";
        context.textAlign = "left";
        if (row.kind === "store") {
            context.fillStyle = colours.raised;
            context.fillRect(0, top, width, row.height);
            context.fillStyle = colours.ink;
            context.font = `600 13px ${colours.font}`;
            context.fillText(fitted(context, row.label, width - 24), 12, top + row.height / 2);
            return;
        }
        context.save();
        context.beginPath();
        context.rect(gutter, top, width - gutter, row.height);
        context.clip();
        if (row.kind === "process") {
            drawSteps(context, row, top + (narrow ? 14 : 5), narrow ? 12 : 16);
            drawWaits(context, row, top + (narrow ? 27 : 22), 10, rank => patterns[rank]);
        } else {
            drawWaits(context, row, top + (narrow ? 17 : 9), 7, () => colours.holder);
        }
        context.restore();
        context.fillStyle = row.kind === "process" ? colours.ink : colours.quiet;
        context.font = `${narrow ? 11 : 13}px ${colours.font}`;
        const label = (row.kind === "holder" ? "held by " : "") + row.label;
        if (narrow)
            context.fillText(fitted(context, label, width - 16), 8, top + 8);
        else
            context.fillText(fitted(context, label, gutter - (row.kind === "holder" ? 44 : 32)),
                row.kind === "holder" ? 32 : 20, top + row.height / 2);
    }

    function drawSelected(context, offset) {
        if (selected === null)
            return;
        const from = xOf(selected.began), to = xOf(selected.ended);
        const left = Math.max(gutter, from) - 2, right = Math.max(from + 2, Math.min(width, to)) + 2;
        if (right < gutter)
            return;
        context.strokeStyle = colours.ink;
        context.lineWidth = 2;
        context.strokeRect(left, selected.row.top - offset + (gutter === 0 ? 25 : 20), right - left, 14);
    }

    function paint(surface, height, draw) {
        const across = surface.clientWidth;
        surface.width = Math.round(across * scale);
        surface.height = Math.round(height * scale);
        const context = surface.getContext("2d");
        context.scale(scale, scale);
        draw(context, across);
    }

    function draw() {
        const offset = view.scrollTop;
        const height = view.clientHeight;
        paint(canvas, height, context => {
            const patterns = colours.shares.map((colour, rank) =>
                SHARES[rank] === "timed out" ? stripes(context, colour) : colour);
            drawAxis(context, height);
            context.save();
            context.beginPath();
            context.rect(0, AXIS, width, height);
            context.clip();
            for (const row of rows)
                if (row.top + row.height > offset + AXIS && row.top < offset + height)
                    drawRow(context, row, row.top - offset, patterns);
            drawSelected(context, offset);
            context.restore();
        });
        drawOverview();
    }

    // What was waited in each column of the whole time, and the part that is seen.
    const STRIP = 44;
    let strip = null;

    function sumStrip(columns) {
        const sums = SHARES.map(() => new Float64Array(columns));
        const per = (whole.to - whole.from) / columns;
        for (const wait of waits) {
            const end = Math.min(columns - 1, Math.floor((wait.ended - whole.from) / per));
            for (let x = Math.max(0, Math.floor((wait.began - whole.from) / per)); x <= end; x++) {
                const from = Math.max(wait.began, whole.from + x * per);
                sums[wait.rank][x] += Math.max(1, Math.min(wait.ended, whole.from + (x + 1) * per) - from);
            }
        }
        let most = 1;
        for (let x = 0; x < columns; x++)
            most = Math.max(most, ...sums.map(sum => sum[x]));
        return {columns, sums, most};
    }

    function drawOverview() {
        paint(overview, STRIP, (context, across) => {
            const columns = Math.max(1, Math.floor(across / 3));
            if (strip === null || strip.columns !== columns)
                strip = sumStrip(columns);
            const step = across / columns;
            for (let x = 0; x < columns; x++) {
                SHARES.forEach((share, rank) => {
                    const sum = strip.sums[rank][x];
                    const tall = sum > 0 ? Math.max(1, (STRIP - 8) * Math.sqrt(sum / strip.most)) : 0;
                    context.fillStyle = colours.shares[rank];
                    context.fillRect(x * step, STRIP - 2 - tall, step - 1, tall);
                });
            }
            const place = time => (time - whole.from) / (whole.to - whole.from) * across;
            const from = place(span.from), to = Math.max(place(span.to), from + 3);
            context.fillStyle = colours.paper;
            context.globalAlpha = 0.65;
            context.fillRect(0, 0, from, STRIP);
            context.fillRect(to, 0, across - to, STRIP);
            context.globalAlpha = 1;
            context.strokeStyle = colours.accent;
            context.lineWidth = 2;
            if (span.to - span.from < (whole.to - whole.from) * 0.999)
                context.strokeRect(from, 1, to - from, STRIP - 2);
        });
    }

    let due = 0;
    const redraw = () => {
        due ||= requestAnimationFrame(() => {
            due = 0;
            draw();
        });
    };

    // --- moving ---

    const SHORTEST = 20;

    function show(from, to) {
        const length = Math.min(whole.to - whole.from, Math.max(SHORTEST, to - from));
        const middle = (from + to) / 2;
        const begin = Math.min(Math.max(middle - length / 2, whole.from), whole.to - length);
        span = {from: begin, to: begin + length};
        redraw();
    }

    function zoom(factor, at = (span.from + span.to) / 2) {
        const length = Math.min(whole.to - whole.from, Math.max(SHORTEST, (span.to - span.from) * factor));
        const share = (at - span.from) / (span.to - span.from);
        show(at - length * share, at + length * (1 - share));
    }

    const pan = by => show(span.from + by, span.to + by);

    let journey = 0;

    function glide(from, to) {
        cancelAnimationFrame(journey);
        if (still.matches)
            return show(from, to);
        const origin = {...span};
        let start = null;
        const go = now => {
            start ??= now;
            const part = Math.min(1, (now - start) / 220);
            const eased = 1 - (1 - part) ** 3;
            show(origin.from + (from - origin.from) * eased, origin.to + (to - origin.to) * eased);
            if (part < 1)
                journey = requestAnimationFrame(go);
        };
        journey = requestAnimationFrame(go);
    }

    // --- telling ---

    const tip = element("tip");

    function duration(us) {
        const [unit, name] = us < 1e3 ? [1, "µs"] : us < 1e6 ? [1e3, "ms"] : us < 60e6 ? [1e6, "s"] : [60e6, "min"];
        return `${Number((us / unit).toPrecision(3))} ${name}`;
    }

    function wordsOf(wait) {
        const [pid, program] = data.processes[wait.process];
        return [`${duration(wait.elapsed)}, ${wait.outcome}`,
            `${name(text(program))} ${pid}, ${text(wait.store)}`,
            `from ${clock(wait.began, 1)}` + (wait.rule ? `, rule ${wait.rule}` : ""),
            ...wait.holders.map(({who, kind}) => `held by ${who}, ${kind}`)];
    }

    function wordsOfHandles(open) {
        const shown = open.slice(0, 6).map(handle => `${handle.file} since ${clock(handle.opened, 1)}` +
            (handle.closed === null ? ", never closed" : ""));
        return [`${open.length} open ${open.length === 1 ? "handle" : "handles"}`, ...shown,
            ...(open.length > shown.length ? [`and ${open.length - shown.length} more`] : [])];
    }

    function tell(words, x, y) {
        tip.replaceChildren(...words.map((word, i) => {
            const line = document.createElement("div");
            const inner = i === 0 ? document.createElement("b") : line;
            inner.textContent = word;
            if (inner !== line)
                line.append(inner);
            return line;
        }));
        tip.hidden = false;
        const box = tip.getBoundingClientRect();
        const below = y + 18 + box.height < innerHeight;
        tip.style.left = `${Math.max(8, Math.min(x + 12, innerWidth - box.width - 8))}px`;
        tip.style.top = `${below ? y + 18 : Math.max(8, y - box.height - 12)}px`;
    }

    const hush = () => {
        tip.hidden = true;
    };

    function rowAt(y) {
        const at = y + view.scrollTop;
        return y < AXIS ? undefined : rows.find(row => at >= row.top && at < row.top + row.height);
    }

    // The gravest wait within three pixels, or else the handles that are open there.
    function found(x, y) {
        const row = rowAt(y);
        if (row === undefined || row.kind === "store" || x < gutter)
            return null;
        const near = timeOf(x + 3) - timeOf(x);
        const time = timeOf(x);
        let best = null;
        for (const wait of within(row.waits, time - near, time + near))
            if (best === null || wait.rank > best.rank)
                best = wait;
        if (best !== null && (row.kind === "holder" || y + view.scrollTop - row.top >= 18))
            return {words: wordsOf(best), wait: best};
        const open = (row.handles ?? []).filter(handle => handle.opened <= time && handle.ended >= time);
        if (open.length > 0)
            return {words: wordsOfHandles(open)};
        return best && {words: wordsOf(best), wait: best};
    }

    function select(wait) {
        selected = wait;
        const row = wait.row;
        if (row.top < view.scrollTop + AXIS || row.top + row.height > view.scrollTop + view.clientHeight)
            view.scrollTop = row.top - view.clientHeight / 2;
        element("said").textContent = wordsOf(wait).join("; ");
        redraw();
    }

    function visit(wait) {
        const length = Math.max(wait.elapsed * 3, Math.min(span.to - span.from, wait.elapsed * 12));
        const middle = (wait.began + wait.ended) / 2;
        select(wait);
        hush();
        glide(middle - length / 2, middle + length / 2);
    }

    // Those that took their time; all of them where none did.
    const stops = waits.some(wait => wait.share !== "at once") ? waits.filter(wait => wait.share !== "at once") : waits;

    function step(by) {
        if (stops.length === 0)
            return;
        const here = selected === null ? span.from : selected.began;
        const after = first(stops.length, i => stops[i].began > here);
        const now = stops.indexOf(selected);
        const next = now >= 0 ? now + by : by > 0 ? after : after - 1;
        visit(stops[Math.min(stops.length - 1, Math.max(0, next))]);
    }

    // --- mouse, touch, wheel, keys ---

    const pointers = new Map();
    let pinch = null;

    const place = event => {
        const box = canvas.getBoundingClientRect();
        return {x: event.clientX - box.left, y: event.clientY - box.top};
    };

    canvas.addEventListener("pointerdown", event => {
        cancelAnimationFrame(journey);
        canvas.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, {...place(event), moved: false});
        const both = [...pointers.values()];
        pinch = both.length === 2 ? both.map(({x}) => timeOf(x)) : null;
    });

    canvas.addEventListener("pointermove", event => {
        const here = place(event);
        const before = pointers.get(event.pointerId);
        if (before === undefined) {
            const thing = found(here.x, here.y);
            if (thing === null)
                hush();
            else
                tell(thing.words, event.clientX, event.clientY);
            canvas.style.cursor = thing?.wait ? "pointer" : "";
            return;
        }
        const moved = before.moved || Math.abs(here.x - before.x) + Math.abs(here.y - before.y) > 4;
        if (!moved)
            return;
        hush();
        canvas.classList.add("dragged");
        pointers.set(event.pointerId, {...here, moved});
        if (pinch !== null) {
            stretch([...pointers.values()].map(({x}) => x));
        } else {
            pan(timeOf(before.x) - timeOf(here.x));
            if (event.pointerType === "mouse")
                view.scrollTop += before.y - here.y;
        }
    });

    // The times that the two fingers took hold of stay under them.
    function stretch([a, b]) {
        if (Math.abs(b - a) < 8)
            return;
        const each = (pinch[1] - pinch[0]) / (b - a);
        if (each > 0)
            show(pinch[0] - (a - gutter) * each, pinch[0] + (width - a) * each);
    }

    function release(event) {
        const pointer = pointers.get(event.pointerId);
        pointers.delete(event.pointerId);
        pinch = null;
        canvas.classList.remove("dragged");
        if (event.type === "pointerup" && pointer && !pointer.moved) {
            const here = place(event);
            const thing = found(here.x, here.y);
            if (thing === null)
                return hush();
            tell(thing.words, event.clientX, event.clientY);
            if (thing.wait)
                select(thing.wait);
        }
    }
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", hush);
    canvas.addEventListener("dblclick", event => {
        const at = timeOf(place(event).x);
        const length = (span.to - span.from) / 4;
        glide(at - length / 2, at + length / 2);
    });

    canvas.addEventListener("wheel", event => {
        const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
        if (event.ctrlKey || event.metaKey || (document.activeElement === canvas && !event.shiftKey &&
            Math.abs(event.deltaY) > Math.abs(event.deltaX))) {
            zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), timeOf(place(event).x));
        } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            pan(sideways / (width - gutter) * (span.to - span.from));
        } else {
            return;
        }
        hush();
        event.preventDefault();
    }, {passive: false});

    const fit = () => glide(whole.from, whole.to);
    const middle = () => (span.from + span.to) / 2;
    const zoomBy = factor => {
        const half = (span.to - span.from) * factor / 2;
        glide(middle() - half, middle() + half);
    };
    const KEYS = {
        ArrowLeft: () => pan((span.from - span.to) / 6), ArrowRight: () => pan((span.to - span.from) / 6),
        "+": () => zoomBy(0.5), "=": () => zoomBy(0.5), "-": () => zoomBy(2), "0": fit, Home: fit,
        n: () => step(1), p: () => step(-1), Escape: () => {
            selected = null;
            hush();
            redraw();
        },
    };
    canvas.addEventListener("keydown", event => {
        const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
        if (act === undefined)
            return;
        event.preventDefault();
        act();
    });

    for (const [id, act] of [["in", () => zoomBy(0.5)], ["out", () => zoomBy(2)], ["fit", fit],
        ["next", () => step(1)], ["previous", () => step(-1)]])
        element(id).addEventListener("click", act);

    // A drag over the strip chooses a span; a click moves the one that is seen there.
    let chosen = null;
    const moment = event => {
        const box = overview.getBoundingClientRect();
        return whole.from + (event.clientX - box.left) / box.width * (whole.to - whole.from);
    };
    overview.addEventListener("pointerdown", event => {
        overview.setPointerCapture(event.pointerId);
        chosen = {from: moment(event), x: event.clientX};
    });
    overview.addEventListener("pointermove", event => {
        if (chosen !== null && Math.abs(event.clientX - chosen.x) > 4)
            show(Math.min(chosen.from, moment(event)), Math.max(chosen.from, moment(event)));
    });
    overview.addEventListener("pointerup", event => {
        if (chosen !== null && Math.abs(event.clientX - chosen.x) <= 4) {
            const half = (span.to - span.from) / 2;
            glide(chosen.from - half, chosen.from + half);
        }
        chosen = null;
    });

    // The table of the longest waits leads here.
    for (const button of document.querySelectorAll("button[data-began]")) {
        const began = Number(button.dataset.began), elapsed = Number(button.dataset.elapsed);
        const wait = waits.find(wait => wait.began === began && wait.elapsed === elapsed);
        button.hidden = wait === undefined;
        button.addEventListener("click", () => {
            element("timeline-section").scrollIntoView({behavior: still.matches ? "auto" : "smooth"});
            visit(wait);
        });
    }

    // --- size and colours ---

    const last = rows[rows.length - 1];

    function resize() {
        scale = Math.max(1, devicePixelRatio || 1);
        const height = last.top + last.height;
        const border = view.offsetHeight - view.clientHeight;
        element("rows").style.height = `${height}px`;
        view.style.height = `${height + border}px`;
        width = view.clientWidth;
        gutter = width < 640 ? 0 : Math.min(230, width / 5);
        canvas.style.width = `${width}px`;
        canvas.style.height = `${view.clientHeight}px`;
        draw();
    }

    readColours();
    resize();
    new ResizeObserver(resize).observe(view);
    view.addEventListener("scroll", redraw);
    dark.addEventListener("change", () => {
        readColours();
        redraw();
    });
})();
