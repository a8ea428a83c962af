// The options of published ports with TLS, of `waggle edge` and `waggle agent --ingress`.

import { resolve } from "node:path";
import type { Command } from "commander";
import type { NodeIngressOptions } from "../local/node-ingress.ts";
import { usageError } from "./errors.ts";
import { listFlag } from "./flags.ts";
import { readListenPort } from "./values.ts";

export type TlsFlags = {
  readonly tls?: readonly string[];
  readonly tlsPort?: readonly number[];
  readonly redirectHttp?: boolean;
};

const defaultTlsPort = 443;

/** Adds the options. @param hasDefault false: the machine has no port for the default service */
export function addTlsFlags(command: Command, hasDefault: boolean): Command {
  const ports = hasDefault ? "published ones, and others for the default service" : "published ones";
  command
    .addOption(
      listFlag(
        "--tls <path>",
        "PEM file, or folder of PEM files, with certificates and keys (repeat)",
        (path) => [path],
      ),
    )
    .addOption(
      listFlag("--tls-port <port>", `port that speaks TLS: ${ports} (repeat; default: 443)`, readTlsPort),
    );
  return hasDefault
    ? command.option("--redirect-http", "redirect the requests of --port to the first port with TLS")
    : command;
}

/** @param defaultPort the machine's plain port for the default service; null: none */
export function tlsOf(
  { tls: paths, tlsPort, redirectHttp = false }: TlsFlags,
  defaultPort: number | null,
): NodeIngressOptions["tls"] {
  if (paths === undefined) {
    if (tlsPort === undefined && !redirectHttp) return null;
    throw usageError("--tls-port and --redirect-http need certificates", "name them with --tls PATH");
  }
  const ports = tlsPort ?? [defaultTlsPort];
  if (redirectHttp && defaultPort === null)
    throw usageError("--redirect-http needs a plain port", "name it with --port 80");
  if (defaultPort !== null && ports.includes(defaultPort))
    throw usageError(`port ${defaultPort} cannot be both plain and with TLS`, "change --port or --tls-port");
  return { paths: paths.map((path) => resolve(path)), ports, redirects: redirectHttp };
}

function readTlsPort(text: string): readonly number[] {
  const port = readListenPort(text);
  if (port === 0) throw usageError("must be a port, 1 to 65535");
  return [port];
}
