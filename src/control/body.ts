// Reads request bodies: JSON of at most 1 MiB, complete before a route acts on it.

import { MeshError } from "../domain/model/error.ts";
import { badRequest } from "./errors.ts";

/** Far above the largest service of a mesh, and harmless for an isolate's memory. Bytes. */
const maxBodyBytes = 1_048_576;
/**
 * Twice the depth of any document of the API. A deeper body would exhaust the stack of a recursive reader.
 */
const maxDepth = 64;

/** Reads the body as JSON of at most `maxBytes`. @throws MeshError request/invalid, body/too-large */
export async function readBody(request: Request, maxBytes = maxBodyBytes): Promise<unknown> {
  const value = parse(await readText(request, maxBytes));
  if (isDeeperThan(maxDepth, value)) throw badRequest(`the body is nested deeper than ${maxDepth} levels`);
  return value;
}

/** Reads the body as text, and stops at `maxBytes`. @throws MeshError request/invalid, body/too-large */
export async function readText(request: Request, maxBytes = maxBodyBytes): Promise<string> {
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });
  let bytes = 0;
  let text = "";
  try {
    // Leaving the loop early cancels the stream.
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw badRequest("the body is not UTF-8 text");
    throw error;
  }
}

function parse(text: string): unknown {
  if (text.trim() === "") throw badRequest("unexpected EOF: the body is empty and should be JSON");
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = (error as SyntaxError).message;
    // Docker's message for a truncated body; scripts may look for it.
    throw badRequest(isTruncated(text, reason) ? "unexpected EOF" : `the body is not JSON: ${reason}`);
  }
}

/** True if the JSON ends too early. @param reason V8's message, which names the place */
function isTruncated(text: string, reason: string): boolean {
  if (reason.includes("end of JSON")) return true;
  const [, position] = /at position (\d+)/.exec(reason) ?? [];
  return position !== undefined && Number(position) >= text.trimEnd().length;
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => isDeeperThan(levels - 1, part));
}

function tooLarge(maxBytes: number): MeshError {
  return new MeshError("body/too-large", `the body is larger than ${maxBytes} bytes`, {
    blame: "operator",
    retry: "never",
  });
}
