// A dependency, SwarmKit's word for a secret or a config: data that the mesh stores once, and that tasks read as
// files. Its data never changes; a new version is another dependency.

export type DependencyKind = "secret" | "config";

/** What everybody may see of a dependency: all but its data. */
export type Dependency = {
  readonly id: string;
  readonly kind: DependencyKind;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** A service's reference to a dependency. The name is for people: the id decides. */
export type DependencyRef = {
  readonly kind: DependencyKind;
  readonly id: string;
  readonly name: string;
};

/** Sizes at which the data is refused, bytes. SwarmKit's `MaxSecretSize` and `MaxConfigSize`. */
const sizeLimits: Readonly<Record<DependencyKind, number>> = { secret: 512_000, config: 1_024_000 };

/** SwarmKit's `validateConfigOrSecretAnnotations`. */
const dependencyNamePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?$/;

/** Why a dependency cannot have this name, in SwarmKit's words; null if it can. */
export function whyNotDependencyName(name: string): string | null {
  if (name === "") return "name must be provided";
  if (dependencyNamePattern.test(name)) return null;
  return "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]";
}

/** Why a dependency cannot have data of this size, in SwarmKit's words; null if it can. */
export function whyNotDataSize(kind: DependencyKind, bytes: number): string | null {
  if (bytes > 0 && bytes < sizeLimits[kind]) return null;
  return `${kind} data must be larger than 0 and less than ${sizeLimits[kind]} bytes`;
}
