// The connections of one invocation of a Worker that wait for response headers: at most six. A seventh waits for one
// of them, without a sign of it.

import { Semaphore } from "../../domain/model/semaphore.ts";

/** See https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections. */
const maxWaiting = 6;

/** Runs work that ends with the response headers, once a connection is free. */
export class ConnectionSlots extends Semaphore {
  constructor() {
    super(maxWaiting);
  }
}
