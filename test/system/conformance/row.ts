// A row of the conformance suite: bytes of a client, bytes of a server, and what becomes of them at HAProxy and at
// the mesh.

import type { ClientStep } from "../../support/raw-exchange.ts";
import { okAnswer, type ServerAnswer } from "../../support/recording-server.ts";

/** What the server must have received. Lines are `name: value` with the name in lower case. */
export type ExpectedRequest = {
  /** The request line. */
  readonly start?: string;
  readonly has?: readonly string[];
  /** Names or whole lines. */
  readonly lacks?: readonly string[];
  readonly body?: string;
  readonly trailers?: readonly string[];
  /** How often it was received; 1 by default, and with `atMost` that or less, but at least once. */
  readonly atMost?: number;
};

export type Outcome = {
  /** Statuses of the responses in order, 1xx included. A list names alternatives. */
  readonly statuses: readonly (number | readonly number[])[];
  /** Whether another request on the connection gets its response afterwards; not compared by default. */
  readonly connection?: "usable" | "closed";
  /** Body of the last response. */
  readonly body?: string;
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
  readonly trailers?: readonly string[];
  /** The last response breaks off. */
  readonly isBroken?: boolean;
  /** Null if no request may reach the server; `incomplete` if a part may, as of a body that streams. */
  readonly task: ExpectedRequest | "incomplete" | null;
};

export type Row = {
  readonly title: string;
  readonly send: readonly ClientStep[];
  readonly answer: ServerAnswer;
  readonly haproxy: Outcome;
  readonly mesh: Outcome;
  /** The row of the table in docs/http.md with the reason, if the two differ. */
  readonly differs: string | null;
};

type RowInput = {
  readonly send: string | readonly ClientStep[];
  readonly answer?: ServerAnswer;
  readonly haproxy: Outcome;
  /** As HAProxy by default. */
  readonly mesh?: Outcome;
  readonly differs?: string;
};

export function row(title: string, { send, answer, haproxy, mesh, differs }: RowInput): Row {
  return {
    title,
    send: typeof send === "string" ? [send] : send,
    answer: answer ?? okAnswer,
    haproxy,
    mesh: mesh ?? haproxy,
    differs: differs ?? null,
  };
}

/** The response of `okAnswer`, after which the connection is usable. */
export function passes(task: ExpectedRequest = {}, over: Partial<Outcome> = {}): Outcome {
  return { statuses: [200], connection: "usable", task, ...over };
}

/** A refusal that ends the connection, and nothing reaches the server. @param statuses alternatives */
export function refuses(...statuses: readonly number[]): Outcome {
  return { statuses: [statuses], connection: "closed", task: null };
}

/** The refusal of a body that is found to be unreadable while it streams. @param statuses alternatives */
export function refusesBody(...statuses: readonly number[]): Outcome {
  return { ...refuses(...statuses), task: "incomplete" };
}

/** A request with the Host of all rows. */
export function request(method: string, target: string, ...lines: readonly string[]): string {
  return `${[`${method} ${target} HTTP/1.1`, "Host: a.example", ...lines].join("\r\n")}\r\n\r\n`;
}

export function get(...lines: readonly string[]): string {
  return request("GET", "/", ...lines);
}

/** A POST; `body` follows the head as it is. */
export function post(lines: readonly string[], body: string): string {
  return request("POST", "/p", ...lines) + body;
}

export const chunked = "Transfer-Encoding: chunked";

/** A response whose body is `ok`. */
export function responds(status: string, ...lines: readonly string[]): ServerAnswer {
  return { bytes: `${[`HTTP/1.1 ${status}`, ...lines, "Content-Length: 2"].join("\r\n")}\r\n\r\nok` };
}

export function sends(bytes: string, then?: ServerAnswer["then"]): ServerAnswer {
  return then === undefined ? { bytes } : { bytes, then };
}
