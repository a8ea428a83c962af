// A response of a mesh, and the reading of its body.

import type { CliError } from "./errors.ts";
import { notAMesh, unknownResponse, unreachable } from "./mesh-refusal.ts";
import type { MeshTarget } from "./mesh-target.ts";
import type { Shape } from "./shapes.ts";

export class MeshResponse {
  readonly #target: MeshTarget;
  readonly #response: Response;

  constructor(target: MeshTarget, response: Response) {
    this.#target = target;
    this.#response = response;
  }

  /** The body as text. @throws exit code 3 if it is cut off */
  text(): Promise<string> {
    return this.#response.text().catch((error: Error) => {
      throw this.#cutOff(error);
    });
  }

  /** The JSON of the body, as it was sent; null if it is empty. @throws exit code 3 if it does not have the shape */
  async json<T>(shape: Shape<T>): Promise<T> {
    return this.#parse(await this.text(), shape);
  }

  /** The body as it comes. */
  async *parts(): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (this.#response.body !== null) yield* this.#response.body;
    } catch (error) {
      throw this.#cutOff(error as Error);
    }
  }

  #parse<T>(text: string, shape: Shape<T>): T {
    let value: unknown;
    try {
      value = text === "" ? null : JSON.parse(text);
    } catch {
      throw notAMesh(this.#target, this.#response);
    }
    const parsed = shape.safeParse(value);
    // Not the parsed value: `--json` prints what the mesh sent.
    if (parsed.success) return value as T;
    const [{ path = [], message = "" } = {}] = parsed.error.issues;
    const place = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
    const { pathname } = new URL(this.#response.url || this.#target.url);
    const name = place === "" ? "it" : `its member ${place}`;
    const problem = message.endsWith("received undefined") ? "is missing" : "is of another kind";
    throw unknownResponse(this.#target, pathname, `${name} ${problem}`);
  }

  #cutOff(error: Error): CliError {
    return unreachable(this.#target, `the response was cut off (${error.message})`, error);
  }
}
