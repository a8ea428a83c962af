// The Engine API's SecretSpec and ConfigSpec. The data is read apart from the rest, because an error quotes what it
// cannot read.

import { z } from "zod";
import { invalidBody, readAs } from "./read.ts";

const DependencySpec = z.object({
  Name: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  Templating: z.object({ Name: z.string().nullish() }).nullish(),
  Driver: z.object({ Name: z.string().nullish() }).nullish(),
});

type ParsedDependencySpec = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Base64 with padding; null if it is absent. */
  readonly data: string | null;
};

/**
 * @param kind `secret`, `config`: for errors
 * @throws MeshError body/invalid, without a part of the data
 */
export function readDependencySpec(kind: string, json: unknown): ParsedDependencySpec {
  if (typeof json !== "object" || json === null) throw invalidBody(`the ${kind} is not a JSON object`);
  const { Data, ...rest } = json as { readonly Data?: unknown };
  const { Name, Labels, Templating, Driver } = readAs(DependencySpec, rest, `the ${kind}`);
  if (Templating?.Name) {
    throw invalidBody(
      `template driver ${JSON.stringify(Templating.Name)} is not supported: the mesh gives the data of a ${kind} to tasks as it is`,
    );
  }
  if (Driver?.Name)
    throw invalidBody(`secret driver ${JSON.stringify(Driver.Name)} is not supported: send the data`);
  return { name: Name ?? "", labels: Labels ?? {}, data: readData(Data) };
}

function readData(data: unknown): string | null {
  if (data === undefined || data === null) return null;
  const isBase64 = typeof data === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(data) && data.length % 4 === 0;
  if (!isBase64) throw invalidBody("illegal base64 data: Data is standard base64 with padding");
  return data;
}
