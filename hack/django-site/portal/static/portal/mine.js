// SPDX-License-Identifier: Apache-2.0

// Keeps statuses and answers current while the page is looked at. What is being written stays as it is.
async function refresh() {
  if (document.hidden) return;
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const now of page.querySelectorAll(".state")) {
    const shown = document.getElementById(now.id);
    if (shown && shown.innerHTML !== now.innerHTML) shown.innerHTML = now.innerHTML;
  }
}

const soon = () => refresh().catch(() => {}); // a site that is away is asked again
setInterval(soon, 3000);
document.addEventListener("visibilitychange", soon);
