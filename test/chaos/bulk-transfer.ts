// Sends many bytes through a contender and gets as many, in a process of its own.

import { fork } from "node:child_process";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { request } from "undici";
import { type BulkDigest, bulkBytes, readBulk } from "./bulk.ts";

/** Seconds that each direction took. */
export type BulkTimes = { readonly down: number; readonly up: number };

/** @param url of the contender @throws if a byte is missing, added or changed */
export function transferBulk(url: string, mib: number): Promise<BulkTimes> {
  const child = fork(fileURLToPath(import.meta.url), [url, String(mib)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return new Promise((resolve, reject) => {
    child.once("message", (times) => resolve(times as BulkTimes));
    child.once("exit", (code) => reject(new Error(`the transfer of ${mib} MiB ended with code ${code}`)));
  });
}

async function transfer(url: string, mib: number): Promise<BulkTimes> {
  const expected = await readBulk(Readable.from(bulkBytes(mib)));
  const timed = async (what: string, run: () => Promise<BulkDigest>): Promise<number> => {
    const startedMs = performance.now();
    const got = await run();
    if (got.bytes !== expected.bytes || got.sha256 !== expected.sha256) {
      throw new Error(
        `${what}: ${got.bytes} bytes arrived, or others than the ${expected.bytes} that were sent`,
      );
    }
    return (performance.now() - startedMs) / 1000;
  };
  const options = { headersTimeout: 0, bodyTimeout: 0 };
  const downUrl = `${url}bulk?mib=${mib}`;
  const down = await timed(`${mib} MiB down`, async () => readBulk((await request(downUrl, options)).body));
  const up = await timed(`${mib} MiB up`, async () => {
    const response = await request(`${url}bulk`, {
      ...options,
      method: "POST",
      body: Readable.from(bulkBytes(mib)),
    });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new Error(`${mib} MiB up: ${response.statusCode} ${text}`);
    return JSON.parse(text) as BulkDigest;
  });
  return { down, up };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const times = await transfer(process.argv[2] ?? "", Number(process.argv[3]));
  process.send?.(times, () => process.disconnect());
}
