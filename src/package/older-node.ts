// What Node 20 and 22 lack of the Node that the sources are written for. The programs that people install begin
// with this file; in an older Node they end here.

import { readFileSync } from "node:fs";
import http, { IncomingMessage, type ServerOptions } from "node:http";
import https from "node:https";
import { syncBuiltinESMExports } from "node:module";
import stream, { Duplex, type DuplexOptions } from "node:stream";
import tls, { rootCertificates } from "node:tls";

const oldestNode = 20;
if (Number(process.versions.node.split(".")[0]) < oldestNode) {
  console.error(`waggle: needs Node ${oldestNode} or newer (this is ${process.version})`);
  process.exit(127);
}

// Since Node 22.
Promise.withResolvers ??= function withResolvers<T>(): PromiseWithResolvers<T> {
  const parts: { resolve?: unknown; reject?: unknown } = {};
  const promise = new Promise<T>((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return { promise, ...parts } as PromiseWithResolvers<T>;
};

// Since Node 21.
Map.groupBy ??= function groupBy<Key, Item>(items: Iterable<Item>, keyOf: (item: Item, at: number) => Key) {
  const groups = new Map<Key, Item[]>();
  let at = 0;
  for (const item of items) {
    const key = keyOf(item, at++);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
};

// Since Node 20.3.
AbortSignal.any ??= (signals: Iterable<AbortSignal>) => {
  const any = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) any.abort(signal.reason);
    signal.addEventListener("abort", () => any.abort(signal.reason), { once: true, signal: any.signal });
  }
  return any.signal;
};

// Since Node 22.1.
URL.parse ??= (text: string, base?: string) => (URL.canParse(text, base) ? new URL(text, base) : null);

/** The requests that ask for an upgrade. */
const asking = new WeakSet<IncomingMessage>();

type WithUpgrades = ServerOptions & { shouldUpgradeCallback?: (incoming: IncomingMessage) => boolean };

// Since Node 24.9. Before, a request with `Upgrade` is an upgrade wherever the server has a listener of upgrades,
// also one that asks for h2c and expects a response as to any other request.
if (!("shouldUpgradeCallback" in http.createServer())) {
  const { createServer } = http;
  http.createServer = ((options: WithUpgrades, ...rest: []) =>
    createServer(withUpgradeChoice(options), ...rest)) as typeof createServer;
  const { createServer: createTlsServer } = https;
  https.createServer = ((options: WithUpgrades, ...rest: []) =>
    createTlsServer(withUpgradeChoice(options), ...rest)) as typeof createTlsServer;
}

/** Node asks the request itself whether it is an upgrade, after it has read the head. */
function withUpgradeChoice(options: WithUpgrades | undefined): ServerOptions {
  const choose = options?.shouldUpgradeCallback;
  if (choose === undefined) return options ?? {};
  class ChoosingMessage extends IncomingMessage {
    get upgrade(): boolean {
      return asking.has(this) && (this.method === "CONNECT" || choose?.(this) === true);
    }
    set upgrade(asks: boolean) {
      if (asks) asking.add(this);
      else asking.delete(this);
    }
  }
  return { ...options, IncomingMessage: ChoosingMessage as typeof IncomingMessage };
}

// Since Node 22.19 and 24.5.
if (tls.setDefaultCACertificates === undefined) {
  const { NODE_EXTRA_CA_CERTS: extra } = process.env;
  const atStart = extra === undefined ? rootCertificates : [...rootCertificates, readFileSync(extra, "utf8")];
  let defaults: readonly string[] = atStart;
  const { createSecureContext } = tls;
  Object.assign(tls, {
    getCACertificates: () => defaults,
    setDefaultCACertificates: (certificates: readonly string[]) => {
      defaults = certificates;
    },
    createSecureContext: (options: tls.SecureContextOptions = {}) =>
      createSecureContext(
        options.ca === undefined && defaults !== atStart ? { ...options, ca: [...defaults] } : options,
      ),
  });
}

/** One end of a pair of streams. What is written to it is read from the other one. */
class PairedEnd extends Duplex {
  other: PairedEnd | null = null;
  /** Continues the other end's writer, once this end is read. */
  #resume: (() => void) | null = null;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = null;
    resume?.();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, written: () => void): void {
    if (chunk.length === 0 || this.other === null) {
      process.nextTick(written);
      return;
    }
    // The push may read at once.
    this.other.#resume = written;
    this.other.push(chunk);
  }

  override _final(finished: () => void): void {
    this.other?.once("end", finished);
    this.other?.push(null);
  }

  override _destroy(error: Error | null, destroyed: (error: Error | null) => void): void {
    const { other } = this;
    // The error is this end's own; the other one sees the end of its data, or a close.
    process.nextTick(() => {
      if (other === null || other.destroyed) return;
      if (error === null) other.push(null);
      else other.destroy();
    });
    destroyed(error);
  }
}

// Since Node 20.17.
stream.duplexPair ??= (options?: DuplexOptions): [Duplex, Duplex] => {
  const ends = [new PairedEnd(options), new PairedEnd(options)] as const;
  [ends[0].other, ends[1].other] = [ends[1], ends[0]];
  return [...ends];
};

syncBuiltinESMExports();
