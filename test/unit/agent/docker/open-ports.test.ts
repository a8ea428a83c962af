// The open ports of a container, from the tables of /proc.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  openPortsOf,
  readListening,
  readOpenPorts,
} from "../../../../src/agent/runtimes/docker/open-ports.ts";

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n";

test("[N432] open ports are those of listening sockets, without those of loopback", () => {
  const table = `${head}   0: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0
   1: 0B00007F:A2C5 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0
   2: 7F00000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0
   3: 050012AC:18EB 010012AC:9C40 01 00000000:00000000 00:00000000 00000000 0
   0: 00000000000000000000000000000000:1538 00000000000000000000000000000000:0000 0A 0 0
   1: 00000000000000000000000001000000:1539 00000000000000000000000000000000:0000 0A 0 0
`;
  expect(readOpenPorts(table)).toEqual([80, 5432, 6379]);
});

test("[N432] the ports that Node listens at are read from this machine's table", async () => {
  const [open, loopback] = [createServer(), createServer()];
  await new Promise<void>((resolve) => open.listen(0, "0.0.0.0", resolve));
  await new Promise<void>((resolve) => loopback.listen(0, "127.0.0.1", resolve));
  const portOf = (server: typeof open) => (server.address() as { port: number }).port;
  const ports = readOpenPorts(readFileSync("/proc/self/net/tcp", "utf8"));
  expect(ports).toContain(portOf(open));
  expect(ports).not.toContain(portOf(loopback));
  for (const server of [open, loopback]) server.close();
});

test("[N432] where /proc does not show a container, the ports of its image count", async () => {
  expect(await openPortsOf("f".repeat(64), 999_999_999, [80, 443])()).toEqual([80, 443]);
});

test("[N463] the connections of a container are not read, however many it has", async () => {
  const dir = mkdtempSync(join(tmpdir(), "open-ports-"));
  const file = join(dir, "tcp");
  const line = (port: string, state: string) => `   0: 00000000:${port} 00000000:0000 ${state} 00000000\n`;
  writeFileSync(file, head + line("0050", "0A") + line("0051", "01").repeat(50_000) + line("0052", "0A"));
  expect(readOpenPorts(await readListening(file))).toEqual([80]);
  writeFileSync(file, head + line("0050", "0A").repeat(50_000) + line("0052", "0A"));
  expect((await readListening(file)).length).toBeLessThan(1_200_000);
  rmSync(dir, { recursive: true });
});

test("[N463] the part of this machine's table that is read has all ports at which it listens", async () => {
  const whole = readOpenPorts(readFileSync("/proc/self/net/tcp", "utf8"));
  expect(readOpenPorts(await readListening("/proc/self/net/tcp"))).toEqual(whole);
});
