// What an API token of Cloudflare has to permit.

/** The permissions of an API token, by the names of Cloudflare's dashboard. */
export const tokenPermissions = {
  accounts: "Account / Account Settings / Read",
  workers: "Account / Workers Scripts / Edit",
  zones: "Zone / Zone / Read",
  records: "Zone / DNS / Edit",
  routes: "Zone / Workers Routes / Edit",
} as const;

export type TokenPermission = keyof typeof tokenPermissions;
