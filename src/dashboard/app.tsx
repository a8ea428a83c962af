// The dashboard: pages under /dashboard/ in front of the registry, for people.

