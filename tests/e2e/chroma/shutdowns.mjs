// shutdowns.mjs RUNS: after how many of RUNS shutdowns (wal.mjs) the main file alone is the whole
// store, without settle, under it, and under it with a checkpoint after the end. Fails if it is not
// each time with the checkpoint.
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { makeStore, shutDown } from "./wal.mjs";

const settle = join(dirname(fileURLToPath(import.meta.url)), "../../../scripts/settle");
const ways = [
    ["plain", []],
    ["settle", [settle, "--"]],
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

const found = new Map(ways.map(([name]) => [name, []]));
for (let run = 0; run < runs; run++)
    for (const [name, wrapper] of ways) found.get(name).push(await shutDown(t, join(dir, "store"), wrapper));

console.log(`${"main file alone".padEnd(30)}whole  not whole  vectors missing  frames in the -wal  ended badly`);
for (const [name, results] of found) {
    const not = results.filter(({ whole }) => !whole);
    const range = (of) => (not.length ? `${Math.min(...not.map(of))} to ${Math.max(...not.map(of))}` : "-");
    const bad = results.filter(({ end }) => end.code !== 0 || end.signal !== null).length;
    const whole = `${results.length - not.length} of ${results.length}`;
    console.log(
        name.padEnd(28) + whole.padStart(9) + String(not.length).padStart(9) +
            range(({ missing }) => missing).padStart(17) + range(({ frames }) => frames).padStart(20) + String(bad).padStart(13),
    );
}
const [, last] = [...found].at(-1);
process.exitCode = last.every(({ whole, end }) => whole && end.code === 0) ? 0 : 1;
