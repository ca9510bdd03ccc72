// The pages of the console: home, then one entry a service. Each module exports one `page`: { name, title, find, Page }, where `find` says
// what the search box looks for and Page draws { path, query }: the part of the hash after the page's name, and what stands in the search
// box. `above(path)`, if there, says which hash Escape leads to; one that is `unlisted` is not named at
// the top.
import { page as homePage } from "./home.js";
import { page as mePage } from "./me.js";
import { page as oopsPage } from "./oops.js";
import { page as poolPage } from "./pool.js";
import { page as portalPage } from "./portal.js";
import { page as queuePage } from "./queue.js";
import { page as trackerPage } from "./tracker.js";

export const pages = [homePage, trackerPage, oopsPage, queuePage, poolPage, portalPage, mePage];
