export const pairs = async () => [];
