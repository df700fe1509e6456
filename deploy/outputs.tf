output "api_url" {
  description = "Where the API is."
  value       = one(google_cloud_run_v2_service.api[*].uri)
}

output "repository" {
  description = "Where the image is pushed to; append a tag, such as :1."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/refresh"
}

output "warehouse_url" {
  description = "What WAREHOUSE_URL is set to."
  value       = local.warehouse_url
}

output "environment" {
  description = "What `refresh deploy` has to know, as lines for a shell: eval \"$(terraform output -raw environment)\""
  value = join("\n", concat(
    [
      "export REFRESH_PROJECT='${var.refresh_project}'",
      "export WAREHOUSE_URL='${local.warehouse_url}'",
      "export REFRESH_IMAGE='${var.image}'",
      "export REFRESH_REGION='${var.region}'",
      "export REFRESH_SERVICE_ACCOUNT='${google_service_account.refresh.email}'",
    ],
    var.prefect_auth == "key" ? ["export REFRESH_API_KEY_SECRET='prefect-auth'"] : [],
    var.prefect_auth == "string" ? ["export REFRESH_AUTH_STRING_SECRET='prefect-auth'"] : [],
  ))
}
