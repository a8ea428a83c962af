// Versions that the control API reports.

/** The advertised Engine API version: clients use the lower of this and their own. */
export const apiVersion = "1.51";
/** The oldest version that a client may use. */
export const minApiVersion = "1.24";
/** The version in package.json. */
export const waggleVersion = "0.1.0";
