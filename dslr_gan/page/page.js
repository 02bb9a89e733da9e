() => { setTimeout(() => document.querySelector("#result")
  .scrollIntoView({block: "nearest", behavior: "smooth"}), 300); }
