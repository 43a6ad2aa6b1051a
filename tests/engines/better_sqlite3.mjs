// better_sqlite3.mjs PATH: a Node.js program that uses a database by better-sqlite3, and does what run tells it. MODULES is
// where its modules are installed.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const Database = createRequire(path.join(process.env.MODULES, 'package.json'))('better-sqlite3');

function connect(file) {
  const connection = new Database(file);
  connection.exec('create table if not exists ours(a); insert into ours values (1)');
  return connection;
}

// A thread has a connection of its own: there is no other way to close on one.
function work() {
  const connection = connect(workerData);
  parentPort.once('message', () => {
    connection.close();
    parentPort.postMessage('closed');
  });
  parentPort.postMessage('open');
}

class Program {
  constructor(file) {
    this.file = file;
  }

  open() {
    this.connection = connect(this.file);
  }

  close() {
    this.connection.close();
  }

  keep() {
    this.reader = fs.openSync(this.file, 'r');
    fs.readSync(this.reader, Buffer.alloc(16));
  }

  drop() {
    fs.closeSync(this.reader);
  }

  list() {
    fs.readdirSync(path.dirname(this.file));
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.worker.once('message', resolve);
      this.worker.once('error', reject);
    });
  }

  async open_on_a_thread() {
    this.worker = new Worker(fileURLToPath(import.meta.url), { workerData: this.file });
    await this.answer();
  }

  async close_on_a_thread() {
    const closed = this.answer();
    this.worker.postMessage('close');
    await setTimeout(200);
    this.keep();
    await closed;
    this.drop();
  }
}

async function main() {
  const program = new Program(process.argv[2]);
  const version = new Database(':memory:').prepare('select sqlite_version()').pluck().get();
  console.log(version);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    await program[line.replaceAll(' ', '_')]();
    console.log('done');
  }
}

if (isMainThread) await main();
else work();
