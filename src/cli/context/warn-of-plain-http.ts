// The warning about a token that is sent without encryption.

import { isLoopback } from "../../domain/model/dialed-host.ts";
import type { Cli } from "../cli.ts";
import { warnings } from "../flags.ts";

/** Warns if requests to a URL can be read on their way. */
export function warnOfPlainHttp(cli: Cli, url: string): void {
  const { protocol, hostname } = new URL(url);
  if (protocol === "https:" || isLoopback(hostname.replace(/^\[|\]$/g, ""))) return;
  warnings(cli)(`the token is sent to ${url} without encryption, so that the network between can read it`);
}
