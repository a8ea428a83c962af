// The JSON schema of the `;json` output.

import { statsColumns } from "./columns.ts";

const integerSchema = (minimum: number, maximum: number) => ({ type: "integer", minimum, maximum });

const valueTypes = {
  str: { type: "string" },
  s32: integerSchema(-(2 ** 31), 2 ** 31 - 1),
  u32: integerSchema(0, 2 ** 32 - 1),
  u64: integerSchema(0, Number.MAX_SAFE_INTEGER),
};

const enumSchema = (list: readonly string[]) => ({ type: "string", enum: [...new Set(list)].sort() });

const objectSchema = (properties: Readonly<Record<string, object>>) => ({
  type: "object",
  properties,
  required: Object.keys(properties),
});

const fieldSchema = objectSchema({
  objType: enumSchema(["Frontend", "Backend", "Server"]),
  proxyId: integerSchema(1, 2 ** 32 - 1),
  id: integerSchema(0, 2 ** 32 - 1),
  field: objectSchema({
    pos: integerSchema(0, statsColumns.length - 1),
    name: enumSchema(statsColumns.map(({ name }) => name)),
  }),
  processNum: integerSchema(1, 2 ** 32 - 1),
  tags: objectSchema({
    origin: enumSchema(statsColumns.map(({ tags }) => tags.origin)),
    nature: enumSchema(statsColumns.map(({ tags }) => tags.nature)),
    scope: enumSchema(statsColumns.map(({ tags }) => tags.scope)),
  }),
  value: {
    oneOf: Object.entries(valueTypes).map(([type, value]) =>
      objectSchema({ type: enumSchema([type]), value }),
    ),
  },
});

const schema = {
  $schema: "http://json-schema.org/draft-04/schema#",
  title: "Statistics of a mesh, as HAProxy types them",
  type: "array",
  items: { title: "Row", type: "array", items: fieldSchema },
};

export function statsJsonSchema(): string {
  return `${JSON.stringify(schema)}\n`;
}
