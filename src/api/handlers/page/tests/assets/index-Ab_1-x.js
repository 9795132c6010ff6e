export const piggy = "a page of the tests";
