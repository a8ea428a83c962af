// Versions the control API states of itself.

/** Engine API version advertised: clients speak the lower of this and their own. */
export const apiVersion = "1.44";
/** Oldest version a client may speak. */
export const minApiVersion = "1.24";
/** The mesh's own version, the one in package.json. */
export const waggleVersion = "0.1.0";
