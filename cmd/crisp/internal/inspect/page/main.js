const token = new URLSearchParams(location.search).get("token");
const source = new EventSource("/api/stream?token=" + encodeURIComponent(token));
source.addEventListener("record", (event) => {
  const row = document.createElement("p");
  row.textContent = event.data;
  document.body.append(row);
});
