// shutdowns.mjs RUNS: after how many of RUNS shutdowns (wal.mjs) the main file alone is the whole
// store, without settle and under it, with a checkpoint after the end. Fails if it is not each time
// with the checkpoint.
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { makeStore, shutDown } from "./wal.mjs";

const settle = join(dirname(fileURLToPath(import.meta.url)), "../../../scripts/settle");
const ways = [
    ["plain", []],
    ["settle --after --checkpoint", [settle, "--after", "--checkpoint", "--max-wait", "10", "--"]],
];

const runs = Number(process.argv[2]);
if (!Number.isInteger(runs) || runs < 1) {
    console.error(`shutdowns.mjs: RUNS '${process.argv[2] ?? ""}': expected a whole number from 1`);
    process.exit(2);
}

const dir = realpathSync(mkdtempSync(join(tmpdir(), "settle-chroma-")));
process.on("exit", () => rmSync(dir, { recursive: true, force: true }));
const t = { after() {} }; // servers that are left over end with this process
await makeStore(t, join(dir, "store"));

/** From the least to the most of those that are not whole. */
function range(results, of) {
    const numbers = results.filter(({ whole }) => !whole).map(of);
    return numbers.length ? `${Math.min(...numbers)} to ${Math.max(...numbers)}` : "-";
}

const wentBadly = ({ end }) => end.code !== 0 || end.signal !== null;
const columns = ([first, ...rest]) => console.log(first.padEnd(30) + rest.map((cell) => String(cell).padStart(20)).join(""));

// Also where it is interrupted.
const found = new Map(ways.map(([name]) => [name, []]));
process.on("exit", () => {
    columns(["main file alone", "whole", "vectors missing", "frames in the -wal", "ended badly"]);
    for (const [name, results] of found) {
        const whole = `${results.filter((result) => result.whole).length} of ${results.length}`;
        const missing = range(results, (result) => result.missing);
        const frames = range(results, (result) => result.frames);
        columns([name, whole, missing, frames, results.filter(wentBadly).length]);
    }
});

for (let run = 0; run < runs; run++)
    for (const [name, wrapper] of ways) found.get(name).push(await shutDown(t, join(dir, "store"), wrapper));

const [, settled] = [...found].at(-1);
process.exitCode = settled.some((result) => !result.whole || wentBadly(result)) ? 1 : 0;
