// Shutdowns of a ChromaDB server whose database is in WAL mode, on a busy machine: what is in the
// main file of its store alone? The last of its connections to close should fold the -wal in and
// remove it. But they close on threads that nobody joins, and two that close at the same moment can
// each take the other for the last.
import { execFile, spawn } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { addMoreVectors, addVectors, answers, startServer } from "./server.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const python = async (...args) => (await promisify(execFile)("/usr/bin/python3", args)).stdout;

const CONNECTIONS = 10; // as many as the server's pool has

/** A store in WAL mode, from which each shutdown begins. */
export async function makeStore(t, store) {
    mkdirSync(store);
    const server = await startServer(t, store);
    await addVectors(server.client);
    await server.stop();
    const convert = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('pragma journal_mode=wal').fetchone())";
    const mode = await python("-c", convert, join(store, "chroma.sqlite3"));
    if (mode.trim() !== "wal") throw new Error(`the database is in mode ${mode}`);
}

/** Twice as many processes as the machine can run, until the returned function is called. */
function keepBusy() {
    const loops = Array.from({ length: 2 * cpus().length }, () => spawn("sh", ["-c", "while :; do :; done"]));
    return () => loops.forEach((loop) => loop.kill("SIGKILL"));
}

/** Uses a copy of the store in a server, ends that by SIGINT, and looks at the copy (whole.py). */
export async function shutDown(t, store, wrapper = []) {
    const copy = `${store}.copy`;
    rmSync(copy, { recursive: true, force: true });
    cpSync(store, copy, { recursive: true });

    const server = await startServer(t, copy, wrapper);
    await Promise.all(Array.from({ length: CONNECTIONS }, () => answers(server.client)));
    const vectors = await addMoreVectors(server.client);
    const rest = keepBusy();
    const end = await server.stop().finally(rest);
    return { end, ...JSON.parse(await python(join(here, "whole.py"), copy, String(vectors))) };
}
