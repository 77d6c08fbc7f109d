// What the plain pages can do beyond showing text: the slider, and times in the visitor's own zone.
// Values go through the style object, as the pages allow no style attribute.

for (const compare of document.querySelectorAll("[data-compare]")) {
  const slider = compare.querySelector("input[type=range]");
  const show = () => {
    compare.style.setProperty("--cut", `${slider.value}%`);
    slider.setAttribute("aria-valuetext", slider.dataset.percent.replace("{}", slider.value));
  };
  slider.addEventListener("input", show);
  slider.hidden = false;
  show();
}

for (const time of document.querySelectorAll("time[data-local]")) {
  const moment = new Date(time.dateTime);
  time.textContent = moment.toLocaleString("en", { dateStyle: "long", timeStyle: "short" });
}
