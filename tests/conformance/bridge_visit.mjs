// What BROWSER names: a browser that follows where it is sent. The suite's authorization servers ask nobody anything.

const answer = await fetch(process.argv[2]);
await answer.text();
