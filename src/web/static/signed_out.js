/* Goes on from the signed-out page to the platform that asked for the logout, as soon as the pages of the other platforms
   have loaded in their frames, or after a while: one that hangs holds nobody up. Runs before the frames are read, so that it
   misses none. The link does the same for browsers without script. */
(function () {
  "use strict";
  var PATIENCE = 4000;
  var loaded = 0, expected = -1, gone = false;

  function go() {
    var link = document.getElementById("signed-out-back");
    if (!gone && link) {
      gone = true;
      window.location.replace(link.href);
    }
  }

  function look() {
    if (expected >= 0 && loaded >= expected) {
      go();
    }
  }

  document.addEventListener("load", function (event) {
    if (event.target && event.target.nodeName === "IFRAME") {
      loaded += 1;
      look();
    }
  }, true);

  document.addEventListener("DOMContentLoaded", function () {
    var link = document.getElementById("signed-out-back");
    if (link && link.hasAttribute("data-goes-on")) {
      expected = document.getElementsByTagName("iframe").length;
      window.setTimeout(go, PATIENCE);
      look();
    }
  }, false);
}());
