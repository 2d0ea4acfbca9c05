const token = new URLSearchParams(location.search).get("token");
const said = document.getElementById("said");
const source = new EventSource(`/api/stream?token=${encodeURIComponent(token ?? "")}`);
let count = 0;
source.addEventListener("record", () => {
  count += 1;
  said.textContent = `${count} records`;
});
