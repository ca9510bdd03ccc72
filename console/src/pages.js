// The pages of the console: one entry a service. A page is { name, title, find, Page } where `find` says what the search box looks for and
// Page draws { path, query }: the part of the hash after the service's name, and what stands in the search box.
import { tracker } from "./tracker.js";

export const pages = [tracker];
