// An unmodified ChromaDB server under settle. Its SQLite is linked statically, and a pool closes
// the database on threads that nobody joins, while the main thread is on its way out. So the
// plain server may end before its closes have, and it ends whoever else holds its database.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { addVectors, answers, startServer } from "./server.mjs";
import { makeStore, shutDown } from "./wal.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const settle = join(here, "../../../scripts/settle");
const limit = { timeout: 120_000 };

const CONNECTIONS = 10; // as many as the server's pool has
const HELD = 0.5; // seconds
const SOON = 1.5; // seconds, with room for a busy machine

function workspace(t) {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "settle-chroma-")));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const store = join(dir, "store");
    mkdirSync(store);
    return { store, log: join(dir, "settle.log"), trace: join(dir, "trace") };
}

const underSettle = ({ log }, ...options) =>
    [settle, "--log", "debug", "--log-file", log, ...options, "--"];

/** The whole life of a server on a new store. */
async function fillStore(t, store, wrapper) {
    const server = await startServer(t, store, wrapper);
    await addVectors(server.client);
    return { answers: await answers(server.client), end: await server.stop() };
}

function filesOf(store) {
    const names = (dir) => readdirSync(dir, { withFileTypes: true });
    return names(store).flatMap((entry) => {
        const path = join(store, entry.name);
        return entry.isDirectory() ? names(path).map(({ name }) => join(path, name)) : path;
    });
}

const fileNames = (store) => filesOf(store).map((path) => basename(path)).sort();

/**
 * Runs a server in which a close of a file of the store takes long, and tells what it left open.
 *
 * Whether a connection is closed by its own thread, which nobody joins, or by the one that drops
 * it is a race. Where a thread that wakes does not take the processor from the one that woke it
 * (SCHED_BATCH), it is nearly always the former.
 */
async function leftOpenBySlowCloses(t, { store, trace }, wrapper = []) {
    const strace = ["strace", "--daemonize", "--follow-forks", "--seccomp-bpf", "--decode-fds=path"];
    strace.push("--trace=openat,close", "--inject=close:delay_enter=100ms", "--output", trace);
    strace.push(...filesOf(store).flatMap((path) => ["--trace-path", path]));
    const schedule = ["chrt", "--batch", "0"];

    const server = await startServer(t, store, [...strace, ...schedule, ...wrapper]);
    await Promise.all(Array.from({ length: CONNECTIONS }, () => answers(server.client)));
    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    return leftOpen(readFileSync(trace, "utf8"));
}

/** The names of the files of which a traced server had a descriptor when it ended. */
function leftOpen(trace) {
    const open = new Map();
    const closing = new Map();
    for (const line of trace.split("\n")) {
        const [thread] = line.split(" ", 1);
        const opened = line.match(/openat.*\) += (\d+)<(.*)>/);
        const close = line.match(/close\((\d+)</);
        if (opened) open.set(Number(opened[1]), opened[2]);
        if (close) closing.set(thread, Number(close[1]));
        // A close in which the process ended returns "?".
        if (/close.*\) += 0/.test(line)) open.delete(closing.get(thread));
    }
    // settle looks at the files from a descriptor table of its own, which starts at 0. The
    // server's streams are 0, 1 and 2.
    return [...open].filter(([descriptor]) => descriptor > 2).map(([, path]) => basename(path));
}

/** Stops a server at the moment another process locks its database, and tells when it ended. */
async function stopWhileLocked(t, { store }, wrapper) {
    const server = await startServer(t, store, wrapper);
    await addVectors(server.client);
    await answers(server.client);
    const holder = [join(here, "lock_holder.py"), server.pid, join(store, "chroma.sqlite3"), HELD];
    const { stdout } = await promisify(execFile)("/usr/bin/python3", holder.map(String));
    return { ...JSON.parse(stdout), end: await server.ended() };
}

test("a plain server keeps its vectors in HNSW files and ends well on SIGINT", limit, async (t) => {
    const { store } = workspace(t);
    const plain = await fillStore(t, store);

    assert.deepEqual(plain.end, { code: 0, signal: null });
    assert.equal(plain.answers.count, 1200);
    assert.deepEqual(plain.answers.nearest.ids.map(([first]) => first), ["v3", "v777", "v1199"]);
    assert.deepEqual(fileNames(store), [
        "chroma.sqlite3",
        "data_level0.bin",
        "header.bin",
        "index_metadata.pickle",
        "length.bin",
        "link_lists.bin",
    ]);
});

test("under settle a server gives the same answers, keeps the same files and ends the same way", limit, async (t) => {
    const [one, other] = [workspace(t), workspace(t)];
    const plain = await fillStore(t, one.store);
    const settled = await fillStore(t, other.store, underSettle(other));

    assert.deepEqual(settled, plain);
    assert.deepEqual(fileNames(other.store), fileNames(one.store));
});

test("a store that was written under settle is read without it", limit, async (t) => {
    const space = workspace(t);
    const settled = await fillStore(t, space.store, underSettle(space));
    const plain = await startServer(t, space.store);

    assert.deepEqual(await answers(plain.client), settled.answers);
    await plain.stop();
});

test("a plain server whose closes are slow ends with its database open", limit, async (t) => {
    const space = workspace(t);
    await fillStore(t, space.store);

    let left = [];
    for (let attempt = 0; attempt < 5 && left.length === 0; attempt++)
        left = await leftOpenBySlowCloses(t, space);
    assert.ok(left.includes("chroma.sqlite3"));
});

test("under settle a server whose closes are slow ends with every handle closed", limit, async (t) => {
    const space = workspace(t);
    await fillStore(t, space.store);
    // The closes come 100 ms apart: as much as the usual patience at exit.
    const patient = underSettle(space, "--fallback-delay", "1", "--max-wait", "10");

    // Now and then the last close comes before the end, as in a plain server.
    const waited = () => readFileSync(space.log, "utf8").includes("at exit: 0 handles still open");
    for (let attempt = 0; attempt < 5 && (attempt === 0 || !waited()); attempt++)
        assert.deepEqual(await leftOpenBySlowCloses(t, space, patient), []);
    assert.ok(waited());
});

test("a plain server ends while another process holds a lock on its database", limit, async (t) => {
    const { endedWhileHeld, end } = await stopWhileLocked(t, workspace(t));

    assert.ok(endedWhileHeld);
    assert.deepEqual(end, { code: 0, signal: null });
});

test("under settle a server ends soon after the lock on its database is released, never before", limit, async (t) => {
    const space = workspace(t);
    const { endedWhileHeld, secondsAfterRelease, end } = await stopWhileLocked(t, space, underSettle(space));

    assert.equal(endedWhileHeld, false);
    assert.ok(secondsAfterRelease < SOON, `it ended ${secondsAfterRelease} s after the release`);
    assert.deepEqual(end, { code: 0, signal: null });
    assert.match(readFileSync(space.log, "utf8"), /File unlocked after polling/);
});

test("under settle --after --checkpoint the main file of a server in WAL mode is the whole store each time", limit, async (t) => {
    const { store } = workspace(t);
    rmSync(store, { recursive: true });
    await makeStore(t, store);

    const expected = { end: { code: 0, signal: null }, whole: true, missing: 0, integrity: "ok", frames: 0 };
    for (let time = 0; time < 4; time++)
        assert.deepEqual(await shutDown(t, store, [settle, "--after", "--checkpoint", "--max-wait", "10", "--"]), expected);
});
