// The size of a service as text: running of desired tasks, and static servers that are up.

/** `2/2`; `1/3 servers` for a service without tasks; `2/2, 1/1 server`. */
export function sizeText(
  tasks: { readonly running: number; readonly desired: number },
  servers: { readonly up: number; readonly all: number },
  print: (count: number) => string = String,
): string {
  const { up, all } = servers;
  const showsTasks = tasks.desired > 0 || tasks.running > 0 || all === 0;
  return [
    ...(showsTasks ? [`${print(tasks.running)}/${print(tasks.desired)}`] : []),
    ...(all > 0 ? [`${print(up)}/${print(all)} ${all === 1 ? "server" : "servers"}`] : []),
  ].join(", ");
}
