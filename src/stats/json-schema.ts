// What `;json` looks like, as a JSON schema, for readers made from one.

import { columns } from "./columns.ts";

const whole = (minimum: number, maximum: number) => ({ type: "integer", minimum, maximum });

const valueTypes = {
  str: { type: "string" },
  s32: whole(-(2 ** 31), 2 ** 31 - 1),
  u32: whole(0, 2 ** 32 - 1),
  u64: whole(0, Number.MAX_SAFE_INTEGER),
};

const words = (list: readonly string[]) => ({ type: "string", enum: [...new Set(list)].sort() });

const record = (properties: Readonly<Record<string, object>>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});

const field = record({
  objType: words(["Frontend", "Backend", "Server"]),
  proxyId: whole(1, 2 ** 32 - 1),
  id: whole(0, 2 ** 32 - 1),
  field: record({ pos: whole(0, columns.length - 1), name: words(columns.map(({ name }) => name)) }),
  processNum: whole(1, 2 ** 32 - 1),
  tags: record({
    origin: words(columns.map(({ tags }) => tags.origin)),
    nature: words(columns.map(({ tags }) => tags.nature)),
    scope: words(columns.map(({ tags }) => tags.scope)),
  }),
  value: {
    oneOf: Object.entries(valueTypes).map(([type, value]) => record({ type: words([type]), value })),
  },
});

const schema = {
  $schema: "http://json-schema.org/draft-04/schema#",
  title: "Statistics of a mesh, as HAProxy types them",
  type: "array",
  items: { title: "Row", type: "array", items: field },
};

export function statsJsonSchema(): string {
  return `${JSON.stringify(schema)}\n`;
}
