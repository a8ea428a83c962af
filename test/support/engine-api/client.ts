// A client of the Engine API without any knowledge of its values: what it gets is checked as it was sent.

import { request } from "node:http";
import type { Answer } from "./answers.ts";

/** Where an Engine API is: options of node:http. */
export type EngineAddress = {
  readonly socketPath?: string;
  readonly host?: string;
  readonly port?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

/** An answer with its headers and its time of arrival. */
export type EngineAnswer = Answer & {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: () => unknown;
};

/**
 * Sends one request.
 *
 * @param version `1.44`, or empty for a path without a version
 * @param body JSON; undefined for none, a string is sent as it is
 */
export function callEngine(
  address: EngineAddress,
  version: string,
  method: string,
  target: string,
  body?: unknown,
): Promise<EngineAnswer> {
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  const { headers: own, ...place } = address;
  const headers = {
    ...own,
    ...(text !== undefined && {
      "content-type": "application/json",
      "content-length": String(Buffer.byteLength(text)),
    }),
  };
  const path = version === "" ? target : `/v${version}${target}`;
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const sent = request({ ...place, method, path, headers, agent: false }, (response) => {
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const bytes = Buffer.concat(parts);
        const answer = bytes.toString();
        resolve({
          method,
          path: target.split("?", 1)[0] ?? "",
          status: response.statusCode ?? 0,
          contentType: response.headers["content-type"] ?? null,
          headers: response.headers,
          body: answer,
          bytes,
          json: () => JSON.parse(answer),
        });
      });
    });
    sent.on("error", reject);
    sent.end(text);
  });
}
