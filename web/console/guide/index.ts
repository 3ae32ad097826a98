export { GuideStage, type GuideStageProps } from "./guideStage";
export { useGuide } from "./useGuide";
