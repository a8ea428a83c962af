// Rates of a release that does not exist, for tests of the model.

import type { Rates } from "../../../../infra/cost/usage.ts";

export const someRates: Rates = {
  cpuMsPerRequest: 0.5,
  registryCalls: [
    { requestsPerSecond: 0.2, intervalSeconds: 2, msPerCall: 1 },
    { requestsPerSecond: 10, intervalSeconds: 1, msPerCall: 0.5 },
  ],
  telemetryCalls: [{ requestsPerSecond: 1, intervalSeconds: 3, msPerCall: 1 }],
  relayWindows: [],
  telemetryMsPerCall: 1,
  saveWindowSeconds: 5,
  telemetryRows: [
    { items: 1, written: 2, stored: 2 },
    { items: 100, written: 101, stored: 101 },
  ],
  telemetryJournalRows: 0,
  telemetryRowsReadPerWritten: 1,
  registry: {
    alarmsPerSecond: { idle: 0.1, busy: 0.1 },
    msPerAlarm: 2,
    rowsReadPerCall: 2,
    rowsReadPerAlarm: 5,
    rowsWrittenPerAlarm: 2,
    rowsReadPerStart: { fixed: 10, perEntry: 1 },
  },
  tunnel: { calls: 1, messages: 2, ms: 5 },
  replacement: { callsOfIsolate: 0.5, messages: 3, rowsRead: 10, rowsWritten: 8 },
  storedBytes: { fixed: 100_000, perEntry: 1_000 },
};
