// A real ChromaDB server on a store of its own: start it in any wrapper, use it, stop it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const packages = createRequire(join(process.env.CHROMA_CACHE, "package.json"));
const { ChromaClient } = packages("chromadb");
const cli = join(process.env.CHROMA_CACHE, "node_modules/chromadb/dist/cli.mjs");

// The client warns at each call that a collection has no embedding function. Here none has.
console.warn = () => {};

const START_LIMIT = 30_000;
const STOP_LIMIT = 20_000;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

async function freePort() {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address();
    probe.close();
    return port;
}

/** Starts a server on the store; `wrapper` is a command line that runs it in place of itself. */
export async function startServer(t, store, wrapper = []) {
    const port = await freePort();
    const [program, ...args] = [...wrapper, process.execPath, cli, "run"];
    args.push("--path", store, "--host", "127.0.0.1", "--port", String(port));
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });

    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));

    // "close" comes once the last holder of the pipes is gone: a tracer around the server has then
    // written all of its trace.
    let end;
    running.add(child);
    child.on("error", (error) => (output += error));
    child.on("close", (code, signal) => {
        running.delete(child);
        end = { code, signal };
    });
    const closed = new Promise((tell) => child.on("close", () => tell(performance.now())));
    t.after(() => child.kill("SIGKILL"));

    async function until(what, limit, done) {
        for (const start = Date.now(); !(await done()); await sleep(20))
            if (Date.now() - start > limit)
                throw new Error(`the server has not ${what} after ${limit} ms; it said:\n${output}`);
    }

    const client = new ChromaClient({ host: "127.0.0.1", port });
    await until("started", START_LIMIT, async () => {
        if (end) throw new Error(`the server ended at once (${JSON.stringify(end)}); it said:\n${output}`);
        return client.heartbeat().catch(() => false);
    });

    const ended = async () => {
        await until("ended", STOP_LIMIT, () => end);
        return end;
    };
    const stop = () => {
        child.kill("SIGINT");
        return ended();
    };
    return { pid: child.pid, client, ended, stop, closed };
}

const collection = { name: "vectors", embeddingFunction: null };
const VECTORS = 1200;
const BATCH = 100;

const idOf = (i) => `v${i}`;
const vectorOf = (i) => Array.from({ length: 8 }, (_, k) => Math.sin(i * (k + 1)));

/** The vectors from one on, as many as a batch has. */
function batchFrom(first) {
    const batch = Array.from({ length: BATCH }, (_, k) => first + k);
    return {
        ids: batch.map(idOf),
        embeddings: batch.map(vectorOf),
        metadatas: batch.map((i) => ({ even: i % 2 === 0 })),
    };
}

/** Adds more vectors than the index keeps in memory, so that its files are written. */
export async function addVectors(client) {
    const configuration = { hnsw: { space: "l2", sync_threshold: 500 } };
    const vectors = await client.createCollection({ ...collection, configuration });
    for (let first = 0; first < VECTORS; first += BATCH) await vectors.add(batchFrom(first));
}

/** Adds another batch, and tells how many there are then. */
export async function addMoreVectors(client) {
    const vectors = await client.getCollection(collection);
    await vectors.add(batchFrom(VECTORS));
    return VECTORS + BATCH;
}

/** The answers to questions that need the index, the database, and both. Loads the index. */
export async function answers(client) {
    const vectors = await client.getCollection(collection);
    const queryEmbeddings = [3, 777, VECTORS - 1].map(vectorOf);
    return {
        count: await vectors.count(),
        nearest: await vectors.query({ queryEmbeddings, nResults: 3 }),
        nearestEven: await vectors.query({ queryEmbeddings, nResults: 3, where: { even: true } }),
        stored: await vectors.get({ ids: [idOf(42)], include: ["embeddings", "metadatas"] }),
    };
}
