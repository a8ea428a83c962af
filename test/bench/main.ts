// The benchmarks: `npm run bench`, or `npm run bench -- traffic streams sockets` for some of them. `--sizes
// NODES/SERVICES/TASKS,…` and `--record` are for `scale`. docs/benchmarks.md has results. Absolute numbers of one
// machine say little; ratios say more.

import { parseArgs } from "node:util";
import { benchGateway } from "./gateway.ts";
import { benchListener } from "./listener.ts";
import { profileRequests } from "./profile.ts";
import { benchQuiet } from "./quiet.ts";
import { benchRegistry } from "./registry.ts";
import { benchScale } from "./scale.ts";
import { benchSockets } from "./sockets.ts";
import { benchStreams } from "./streams.ts";
import { benchTelemetry } from "./telemetry.ts";
import { benchCounting, benchTraffic } from "./traffic.ts";
import { benchTransports } from "./transports.ts";
import { benchWorld } from "./world.ts";

const { values: flags, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { sizes: { type: "string" }, record: { type: "boolean" } },
});

const parts: Record<string, () => Promise<void>> = {
  traffic: () => benchTraffic({ starts: 6, rounds: 3, roundMs: 1_000, warmUpMs: 10_000, connections: 32 }),
  counting: () => benchCounting({ starts: 8, rounds: 3, roundMs: 1_000, warmUpMs: 5_000, connections: 32 }),
  profile: () => profileRequests({ warmUpMs: 8_000, durationMs: 5_000, connections: 32, rows: 30 }),
  listener: () => benchListener({ starts: 4, rounds: 3, roundMs: 1_000, warmUpMs: 5_000, connections: 32 }),
  gateway: () => benchGateway({ starts: 4, rounds: 3, roundMs: 1_000, warmUpMs: 5_000, connections: 32 }),
  transports: () => benchTransports({ starts: 2, rounds: 8, roundMs: 500, warmUpMs: 5_000, connections: 32 }),
  streams: () => benchStreams({ bytes: 1024 ** 3, rounds: 3 }),
  sockets: () => benchSockets({ sockets: 1_000, idleMs: 5_000 }),
  quiet: () => benchQuiet({ isolates: 10, rttMs: 150, quietRate: 0.1, busyRate: 1, seconds: 60 }),
  world: benchWorld,
  registry: benchRegistry,
  scale: () => benchScale({ sizes: flags.sizes?.split(",") ?? [], isRecorded: flags.record === true }),
  telemetry: benchTelemetry,
};

for (const name of names.length > 0 ? names : Object.keys(parts)) {
  const part = parts[name];
  if (part === undefined) throw new Error(`no part ${name}; there are ${Object.keys(parts).join(", ")}`);
  await part();
}
