// Node sockets with the interface of the Workers runtime, so that health checks run against real servers.

import { connect } from "node:net";
import { Readable, Writable } from "node:stream";
import { readExpectation } from "../../src/domain/model/check-expect.ts";
import { type CheckDeps, type Connection, sleep } from "../../src/prober/check.ts";

export const nodeCheckDeps: CheckDeps = {
  dial: ({ hostname, port }) => {
    const socket = connect({ host: hostname, port });
    const opened = new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    socket.on("error", () => undefined);
    return {
      opened,
      readable: Readable.toWeb(socket) as unknown as Connection["readable"],
      writable: Writable.toWeb(socket) as unknown as Connection["writable"],
      close: async () => socket.destroy(),
    };
  },
  nowMs: () => Date.now(),
  sleep,
  expectationOf: readExpectation,
};
