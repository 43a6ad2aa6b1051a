// chroma.mjs PAIRS: the life of a ChromaDB server with and without settle, taking turns: started on a
// new store, filled, asked, stopped. Prints a JSON object a line: the milliseconds of each life.
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { addVectors, answers, startServer } from "../e2e/chroma/server.mjs";

const settle = join(dirname(fileURLToPath(import.meta.url)), "../../scripts/settle");
const ways = { plain: [], settle: [settle, "--"] };

async function live(wrapper) {
    const directory = realpathSync(mkdtempSync(join(tmpdir(), "settle-bench-chroma-")));
    const store = join(directory, "store");
    mkdirSync(store);
    const cleaners = [() => rmSync(directory, { recursive: true, force: true })];
    try {
        const began = performance.now();
        const server = await startServer({ after: (clean) => cleaners.push(clean) }, store, wrapper);
        const started = performance.now();
        await addVectors(server.client);
        await answers(server.client);
        const used = performance.now();
        server.stop();
        const stopped = await server.closed;
        return { start: started - began, load: used - started, stop: stopped - used, total: stopped - began };
    } finally {
        cleaners.reverse().forEach((clean) => clean());
    }
}

await live(ways.plain); // the files of the program come into the cache
for (let pair = 0; pair < Number(process.argv[2]); pair++)
    for (const way of pair % 2 === 0 ? ["plain", "settle"] : ["settle", "plain"])
        console.log(JSON.stringify({ pair, way, ...(await live(ways[way])) }));
